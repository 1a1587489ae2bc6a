//! Files of replies: short text is shown, anything else is kept in the current folder. Never replaces a file.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::text::{Break, Colour, Row, Style, lines};

/// Text of more lines is kept as a file.
const SHOWN_LINES: usize = 200;

pub fn show(name: &str, bytes: &[u8], columns: usize) -> Vec<Row> {
    let text = std::str::from_utf8(bytes).ok();
    match text {
        Some(text) if text.lines().count() <= SHOWN_LINES => inline(name, text, columns),
        _ => match keep(Path::new("."), name, bytes) {
            Ok(path) => vec![said("Wrote", &path, bytes.len())],
            Err(error) => {
                let mut rows = vec![Row::new(&format!("✗ {name} cannot be written here: {error}"), Style::of(Colour::Red))];
                rows.extend(text.map(|text| inline(name, text, columns)).unwrap_or_default());
                rows
            }
        },
    }
}

fn inline(name: &str, text: &str, columns: usize) -> Vec<Row> {
    let mut rows = vec![Row::new(&format!("── {name}"), Style::DIM)];
    rows.extend(lines(text, Style::PLAIN, columns, &Row::default(), Break::Anywhere));
    rows.push(Row::new("──", Style::DIM));
    rows
}

fn said(what: &str, path: &Path, bytes: usize) -> Row {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Row::new(&format!("{what} {} ({} KiB).", shown.display(), bytes.div_ceil(1024)), Style::PLAIN)
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    let name = safe(name);
    let (stem, end) = name.rsplit_once('.').map_or((name.as_str(), String::new()), |(stem, end)| (stem, format!(".{end}")));
    for n in 1..1000 {
        let name = if n == 1 { name.clone() } else { format!("{stem}-{n}{end}") };
        let path = folder.join(name);
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(bytes)?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::other("there are too many files of that name"))
}

/// A name that is one in any folder, and hidden in none.
fn safe(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String =
        last.chars().map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') { c } else { '_' }).take(100).collect();
    let kept = kept.trim_matches([' ', '.']);
    if kept.is_empty() { "file".to_owned() } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        assert_eq!(safe("../../etc/passwd"), "passwd");
        assert_eq!(safe("..\\.bashrc"), "bashrc");
        assert_eq!(safe("a\x1b[2J.md"), "a__2J.md");
        assert_eq!(safe(".."), "file");
    }

    #[test]
    fn nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = keep(folder.path(), "s1.md", b"one").unwrap();
        let second = keep(folder.path(), "s1.md", b"two").unwrap();
        assert_eq!((first.file_name().unwrap(), second.file_name().unwrap()), ("s1.md".as_ref(), "s1-2.md".as_ref()));
        assert_eq!(std::fs::read(first).unwrap(), b"one");
    }
}
