//! Code that is too long for a message, as files.

use super::super::markdown::literal;
use crate::chat::split::Fence;
use crate::model::File;

/// Characters of one piece of code in a message.
const LONGEST: usize = 1_800;

/// The text with a line in place of each long piece of code, and those as files. `ended`: nothing follows any more.
pub fn apart(md: &str, ended: bool) -> (String, Vec<File>) {
    if md.len() <= LONGEST || !(md.contains("```") || md.contains("~~~")) {
        return (md.to_owned(), Vec::new());
    }
    let (mut out, mut files) = (String::with_capacity(md.len()), Vec::new());
    let mut open: Option<(Fence, String, String)> = None;
    for line in md.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        match open.take() {
            None => match Fence::opened(content) {
                Some(fence) => open = Some((fence, line.to_owned(), String::new())),
                None => out.push_str(line),
            },
            Some((fence, mut whole, code))
                if line.ends_with('\n') && fence.is_closed_by(content) || fence.is_closed_by(content) && ended =>
            {
                whole.push_str(line);
                close(&mut out, &mut files, &fence, &whole, code, true);
            }
            Some((fence, mut whole, mut code)) => {
                whole.push_str(line);
                code.push_str(line.get(fence.indent.min(line.len() - line.trim_start_matches(' ').len())..).unwrap_or(line));
                open = Some((fence, whole, code));
            }
        }
    }
    if let Some((fence, whole, code)) = open {
        close(&mut out, &mut files, &fence, &whole, code, ended);
    }
    (out, files)
}

fn close(out: &mut String, files: &mut Vec<File>, fence: &Fence, whole: &str, code: String, ended: bool) {
    if code.encode_utf16().count() <= LONGEST {
        return out.push_str(whole);
    }
    let name = format!("code-{}.{}", files.len() + 1, extension(&fence.info));
    let lines = code.lines().count();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&match ended {
        true => format!("📎 {} ({lines} lines) is attached below.\n", literal(&name)),
        false => format!("-# writing {}, {lines} lines so far …\n", literal(&name)),
    });
    files.push(File { name, bytes: code.into_bytes() });
}

fn extension(info: &str) -> &'static str {
    match info.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "rust" | "rs" => "rs",
        "python" | "py" => "py",
        "javascript" | "js" | "jsx" => "js",
        "typescript" | "ts" | "tsx" => "ts",
        "go" => "go",
        "java" => "java",
        "c" | "h" => "c",
        "cpp" | "c++" => "cpp",
        "json" => "json",
        "yaml" | "yml" => "yaml",
        "toml" => "toml",
        "sh" | "bash" | "shell" | "console" => "sh",
        "html" => "html",
        "css" => "css",
        "sql" => "sql",
        "diff" | "patch" => "diff",
        "md" | "markdown" => "md",
        _ => "txt",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_code_becomes_a_file_and_short_code_stays() {
        let long = "fn a() {}\n".repeat(300);
        let md = format!("Look:\n\n```rust\n{long}```\n\nand\n\n```sh\nls\n```\n");
        let (text, files) = apart(&md, true);
        assert_eq!(text, "Look:\n\n📎 code-1.rs (300 lines) is attached below.\n\nand\n\n```sh\nls\n```\n");
        assert_eq!((files.len(), files[0].name.as_str(), files[0].bytes == long.as_bytes()), (1, "code-1.rs", true));
        let (text, files) = apart(&md[..2_500], false);
        assert!(text.starts_with("Look:\n\n-# writing code-1.rs, ") && files.len() == 1, "{text}");
        assert_eq!(apart("```\nshort\n```", true), ("```\nshort\n```".to_owned(), Vec::new()));
    }
}
