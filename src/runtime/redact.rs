//! Takes secrets out of text before anybody sees it.
//!
//! Invariant: no whole secret, and no whole line of one, leaves. Works on whole text: cut afterwards, not before.

use secrecy::{ExposeSecret, SecretString};

use super::Launch;

const PUT: &str = "[redacted]";

#[derive(Default)]
pub struct Redactor(Vec<SecretString>);

impl Redactor {
    pub fn of(launch: &Launch) -> Self {
        Self::new(launch.secrets.iter().map(|(_, value)| value).chain([&launch.server_key]))
    }

    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> Self {
        let mut values: Vec<String> = Vec::new();
        for secret in secrets {
            let value = secret.expose_secret().trim();
            values.push(value.to_owned());
            // A log has lines, so a secret of several lines shows one at a time.
            values.extend(value.lines().map(str::trim).filter(|line| line.len() >= 8).map(str::to_owned));
        }
        values.retain(|value| !value.is_empty());
        // A secret may be part of another; the longer one goes first.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self(values.into_iter().map(SecretString::from).collect())
    }

    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for value in &self.0 {
            let value = value.expose_secret();
            if text.contains(value) {
                // Not replaced in place: a short secret could be part of the replacement.
                text = text.split(value).collect::<Vec<_>>().join("\u{0}");
            }
        }
        text.replace('\u{0}', PUT)
    }

    /// How many bytes a cut must be away from the end of what is known of a text.
    pub fn longest(&self) -> usize {
        self.0.first().map_or(0, |value| value.expose_secret().len())
    }

    /// The last place up to `at` where `text` can be cut without cutting a secret or a character.
    pub fn cut(&self, text: &str, at: usize) -> usize {
        let mut at = text.floor_char_boundary(at);
        loop {
            let through = self.0.iter().find_map(|value| {
                let value = value.expose_secret();
                let from = text.floor_char_boundary(at.saturating_sub(value.len() - 1));
                let to = text.ceil_char_boundary((at + value.len() - 1).min(text.len()));
                text[from..to].find(value).map(|start| (from + start, value.len()))
            });
            match through {
                // A text that begins with a secret longer than the piece: the whole secret is the piece.
                Some((0, length)) => return length,
                Some((start, _)) => at = start,
                None => return at,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<SecretString> = secrets.iter().map(|s| SecretString::from(*s)).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn secrets_are_taken_out() {
        let r = redactor(&["hunter2", "hunter22", "", "a-first-line\nand-a-second", "red"]);
        assert_eq!(r.redact("x hunter22 hunter2!"), "x [redacted] [redacted]!");
        assert_eq!(r.redact("> and-a-second"), "> [redacted]");
        assert_eq!(r.redact("red"), "[redacted]");
    }

    #[test]
    fn a_cut_goes_around_a_secret() {
        let r = redactor(&["hunter2"]);
        assert_eq!(r.cut("ab hunter2 cd", 5), 3);
        assert_eq!(r.cut("ab hunter2 cd", 10), 10);
        assert_eq!(r.cut("ab hunter2 cd", 3), 3);
        assert_eq!(r.cut("hunter2 cd", 4), 7);
        assert_eq!(r.cut("äöü", 3), 2);
    }
}
