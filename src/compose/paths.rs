//! Paths as texts: cleaned, joined, and made absolute where a compose file names one. No file is read here; whether one may be is decided
//! where it is opened.

use super::fault::{Result, fault};
use super::node::{ITEM, Node, Path, Value};

/// Without `.`, `..` in the middle, doubled and trailing slashes.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => drop(parts.pop()),
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

pub fn join(base: &str, path: &str) -> String {
    match (base, path) {
        ("", "") => String::new(),
        ("", path) => clean(path),
        (base, "") => clean(base),
        (base, path) => clean(&format!("{base}/{path}")),
    }
}

pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

pub fn folder(path: &str) -> String {
    match path.rfind('/') {
        Some(at) => clean(&path[..=at]),
        None => ".".into(),
    }
}

/// `path` as seen from `base`; both are absolute and clean, or both relative.
pub fn relative(base: &str, path: &str) -> Option<String> {
    if is_absolute(base) != is_absolute(path) {
        return None;
    }
    let (base, path) = (clean(base), clean(path));
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
    };
    let (base, path) = (parts(&base), parts(&path));
    let same = base.iter().zip(&path).take_while(|(a, b)| a == b).count();
    if base[same..].iter().any(|part| part == "..") {
        return None;
    }
    let ups = std::iter::repeat_n("..", base.len() - same);
    let found: Vec<&str> = ups.chain(path[same..].iter().map(String::as_str)).collect();
    Some(if found.is_empty() { ".".into() } else { found.join("/") })
}

/// Absolute on Windows: a drive with a slash, or a share.
fn is_windows_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    let slash = |b: Option<&u8>| matches!(b, Some(b'/' | b'\\'));
    (bytes.get(1) == Some(&b':') && slash(bytes.get(2))) || (slash(bytes.first()) && slash(bytes.get(1)))
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Path,
    Context,
    /// A path of this machine or of a Windows one.
    MaybePath,
    Mount,
    Volume,
    /// A path whose links are followed.
    Watched,
}

fn rule(path: &[&str]) -> Option<Rule> {
    match path {
        ["services", _, "develop", "watch", ITEM, "path"] => Some(Rule::Watched),
        ["services", _, "pre_start", ITEM, rest @ ..] => of_container(rest),
        ["services" | "jobs", _, rest @ ..] => of_container(rest).or(match rest {
            ["build", "context"] | ["build", "additional_contexts", _] => Some(Rule::Context),
            ["build", "ssh", _] => Some(Rule::MaybePath),
            ["extends", "file"] => Some(Rule::Path),
            _ => None,
        }),
        ["configs" | "secrets", _, "file"] => Some(Rule::MaybePath),
        ["volumes", _] => Some(Rule::Volume),
        _ => None,
    }
}

fn of_container(rest: &[&str]) -> Option<Rule> {
    match rest {
        ["env_file", ITEM, "path"] | ["label_file", ITEM] => Some(Rule::Path),
        ["volumes", ITEM] => Some(Rule::Mount),
        _ => None,
    }
}

/// How relative paths become absolute.
pub struct Resolver<'a> {
    pub base: &'a str,
    /// What `~` stands for.
    pub home: Option<&'a str>,
    /// The path with its links followed.
    pub follow: &'a dyn Fn(&str) -> Option<String>,
}

impl Resolver<'_> {
    pub fn resolve(&self, node: &mut Node, path: &Path<'_>) -> Result<()> {
        let Some(rule) = path.with(rule) else {
            match &mut node.value {
                Value::Map(map) => {
                    for (key, node) in map.iter_mut() {
                        self.resolve(node, &path.below(key))?;
                    }
                }
                Value::List(list) => {
                    for node in list {
                        self.resolve(node, &path.below(ITEM))?;
                    }
                }
                _ => {}
            }
            return Ok(());
        };
        let at = node.place();
        let text = || fault(at, format!("{path} must be a path"));
        match (rule, &mut node.value) {
            (Rule::Path, Value::Text(file)) => *file = self.absolute(file),
            (Rule::Watched, Value::Text(file)) => {
                let absolute = self.absolute(file);
                *file = (self.follow)(&absolute).unwrap_or(absolute);
            }
            (Rule::Context, Value::Text(context)) => {
                let elsewhere = ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:"];
                if !context.contains("://") && !elsewhere.iter().any(|prefix| context.starts_with(prefix)) {
                    *context = self.absolute(context);
                }
            }
            (Rule::MaybePath, Value::Text(file)) => *file = self.anywhere(file),
            (Rule::MaybePath, _) => {}
            (Rule::Mount, Value::Map(map)) => {
                if map.get("type").and_then(Node::as_text) == Some("bind") {
                    match map.get_mut("source") {
                        None => return fault(at, format!("{path}: a mount of type bind needs the key `source`")),
                        Some(source) => match &mut source.value {
                            Value::Text(source) => *source = self.anywhere(source),
                            _ => return text(),
                        },
                    }
                }
            }
            (Rule::Volume, Value::Map(map)) => {
                let local = map.get("driver").and_then(Node::as_text) == Some("local");
                let options = map.get_mut("driver_opts").filter(|_| local).and_then(Node::as_map_mut);
                if let Some(options) = options
                    && options.get("o").and_then(Node::as_text) == Some("bind")
                    && let Some(Value::Text(device)) = options.get_mut("device").map(|node| &mut node.value)
                {
                    *device = self.anywhere(device);
                }
            }
            (Rule::Mount | Rule::Volume, _) => {}
            _ => return text(),
        }
        Ok(())
    }

    fn at_home(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) => join(home, rest),
            _ => path.to_owned(),
        }
    }

    fn absolute(&self, path: &str) -> String {
        let path = self.at_home(path);
        if path.is_empty() || is_absolute(&path) { path } else { join(self.base, &path) }
    }

    fn anywhere(&self, path: &str) -> String {
        let path = self.at_home(path);
        if is_absolute(&path) || is_windows_absolute(&path) { path } else { join(self.base, &path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned_and_joined() {
        let pairs = [("a/./b/../c/", "a/c"), ("", "."), ("/..//a", "/a"), ("../a/..", ".."), ("./x", "x"), ("/", "/")];
        for (path, wanted) in pairs {
            assert_eq!(clean(path), wanted, "{path}");
        }
        assert_eq!(join("/p/q", "../x"), "/p/x");
        assert_eq!(folder("/p/q/c.yaml"), "/p/q");
        assert_eq!(folder("c.yaml"), ".");
        assert_eq!(relative("/p/q", "/p/r/s").as_deref(), Some("../r/s"));
        assert_eq!(relative("/p", "/p").as_deref(), Some("."));
    }
}
