//! A mount in one text: `[SOURCE:]TARGET[:OPTIONS]`. A source that looks like a path is bound, any other is a volume's name.

use super::super::node::{Map, Mark, Node, Value};
use super::super::paths;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Volume {
    pub source: String,
    pub target: String,
    bind: bool,
    /// Too short to be anything but a target.
    bare: bool,
    read_only: bool,
    no_copy: bool,
    propagation: Option<String>,
    selinux: Option<String>,
}

pub fn parse(text: &str) -> Result<Volume, String> {
    let mut volume = Volume::default();
    match text.len() {
        0 => return Err("a mount is written [SOURCE:]TARGET[:OPTIONS], and this is empty".into()),
        1 | 2 => return Ok(Volume { target: text.to_owned(), bare: true, ..volume }),
        _ => {}
    }
    let shown: String = text.chars().take(80).collect();
    let wrong =
        |what: &str| format!("`{shown}`: {what}; a mount is written [SOURCE:]TARGET[:OPTIONS], such as `./data:/data:ro`");
    let mut section = String::new();
    let mut depth = 0usize;
    let mut chars = text.chars().peekable();
    loop {
        let c = chars.next();
        match c {
            Some('$') if chars.peek() == Some(&'{') => {
                depth += 1;
                section.push('$');
                continue;
            }
            Some('}') if depth > 0 => depth -= 1,
            // A letter and a colon are a drive of Windows.
            Some(':') if depth == 0 && !is_drive(&section) => {
                volume.take(&section, false).map_err(wrong)?;
                section.clear();
                continue;
            }
            None if depth == 0 => {
                volume.take(&section, true).map_err(wrong)?;
                break;
            }
            None => break,
            _ => {}
        }
        section.extend(c);
    }
    volume.bind = is_path(&volume.source);
    Ok(volume)
}

fn is_drive(section: &str) -> bool {
    let mut chars = section.chars();
    matches!((chars.next(), chars.next()), (Some(letter), None) if letter.is_alphabetic())
}

fn is_path(source: &str) -> bool {
    if source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") {
        return true;
    }
    let mut chars = source.chars();
    matches!((chars.next(), chars.next()), (Some(letter), Some(':')) if letter.is_alphabetic())
}

impl Volume {
    fn take(&mut self, section: &str, last: bool) -> Result<(), &'static str> {
        if section.is_empty() {
            return Err("there is nothing between two colons");
        }
        if self.source.is_empty() && last {
            self.target = section.to_owned();
        } else if self.source.is_empty() {
            self.source = section.to_owned();
        } else if self.target.is_empty() {
            self.target = section.to_owned();
        } else if !last {
            return Err("there are too many colons");
        } else {
            for option in section.split(',') {
                match option {
                    "ro" => self.read_only = true,
                    "rw" => self.read_only = false,
                    "nocopy" => self.no_copy = true,
                    "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                        self.propagation = Some(option.to_owned());
                    }
                    "z" | "Z" => self.selinux = Some(option.to_owned()),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    pub fn into_node(self, at: Mark) -> Node {
        let mut map = Map::new();
        let mut add = |key: &str, node: Node| drop(map.insert(key.to_owned(), node));
        add("type", Node::text(if self.bind { "bind" } else { "volume" }, at));
        if !self.source.is_empty() {
            add("source", Node::text(self.source, at));
        }
        if !self.target.is_empty() {
            add("target", Node::text(paths::clean(&self.target), at));
        }
        if self.read_only {
            add("read_only", Node::flag(true, at));
        }
        let options = [("propagation", self.propagation), ("selinux", self.selinux)];
        let mut bind: Map =
            options.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Node::text(value?, at)))).collect();
        if self.bind {
            bind.insert("create_host_path".into(), Node::flag(true, at));
        }
        if !bind.is_empty() {
            add("bind", Node::map(bind, at));
        }
        if self.no_copy {
            add("volume", Node::pairs(at, [("nocopy", Node::flag(true, at))]));
        } else if !self.bind && !self.bare {
            add("volume", Node::new(Value::Map(Box::default()), at));
        }
        Node::map(map, at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        parse(text).unwrap_or_else(|error| panic!("{error}")).into_node(Mark::default()).to_json().to_string()
    }

    #[test]
    fn forms() {
        assert_eq!(shown("data:/d"), r#"{"source":"data","target":"/d","type":"volume","volume":{}}"#);
        assert_eq!(shown("/d"), r#"{"target":"/d","type":"volume"}"#);
        assert_eq!(shown("/data"), r#"{"target":"/data","type":"volume","volume":{}}"#);
        let bound = r#"{"bind":{"create_host_path":true},"read_only":true,"source":"./a","target":"/b","type":"bind"}"#;
        assert_eq!(shown("./a:/b/:ro"), bound);
        assert_eq!(
            shown("C:\\x:/b:z,rshared"),
            r#"{"bind":{"create_host_path":true,"propagation":"rshared","selinux":"z"},"source":"C:\\x","target":"/b","type":"bind"}"#
        );
    }

    #[test]
    fn what_is_no_mount() {
        for text in ["", ":::", "aa::b", "/a:/b:ro:x", ":/ab"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[a-c:/.~,\\\\$\\{\\}\\PC]{0,30}") {
            let _ = parse(&text);
        }
    }
}
