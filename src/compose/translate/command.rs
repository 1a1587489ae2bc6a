//! What runs in a service's container, and as whom.
//!
//! Invariant: a credential that stands in a command becomes a variable of the Secret. A word is otherwise kept as it is.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::fields::shown;
use super::{One, texts};
use crate::compose::sensitive::{is_credential, named_so};
use crate::model::workload::{Pull, Word, Workload};

impl One<'_> {
    pub fn command(&self, workload: &mut Workload) {
        let list = |key: &'static str| match self.fields.get(key)? {
            Value::Array(all) => Some(all.iter().map(shown).collect::<Vec<_>>()),
            Value::String(one) => Some(vec![one.clone()]),
            _ => None,
        };
        let (entrypoint, command) = (list("entrypoint"), list("command"));
        match (&entrypoint, &command) {
            (Some(entrypoint), Some(command)) if entrypoint.is_empty() && !command.is_empty() => {
                // Without the image's entrypoint, the command is what runs.
                workload.entrypoint = self.words(command, "command", workload);
            }
            _ => {
                if entrypoint.as_ref().is_some_and(Vec::is_empty) {
                    self.warn("entrypoint", texts::no_clear("entrypoint"));
                }
                if command.as_ref().is_some_and(Vec::is_empty) && entrypoint.as_ref().is_none_or(Vec::is_empty) {
                    self.warn("command", texts::no_clear("command"));
                }
                workload.entrypoint = self.words(&entrypoint.unwrap_or_default(), "entrypoint", workload);
                workload.command = self.words(&command.unwrap_or_default(), "command", workload);
            }
        }
        workload.working_dir = self.fields.text("working_dir").map(str::to_owned);
        workload.tty = self.fields.flag("tty");
        workload.stdin = self.fields.flag("stdin_open");
        self.pulling(workload);
        self.platform(workload);
    }

    fn words(&self, words: &[String], key: &str, workload: &mut Workload) -> Vec<Word> {
        let mut all = Vec::with_capacity(words.len());
        let mut before: &str = "";
        for (n, word) in words.iter().enumerate() {
            all.push(match known_part(workload, word) {
                // Its own variable has it already.
                Some((start, end, name)) => {
                    self.warn(key, texts::sensitive_command(&format!("`{name}`")));
                    Word::Variable(word[..start].to_owned(), name, word[end..].to_owned())
                }
                None => self.word(workload, key, n, before, word),
            });
            before = word;
        }
        all
    }

    fn word(&self, workload: &mut Workload, key: &str, n: usize, before: &str, word: &str) -> Word {
        match secret_part(before, word) {
            Some((start, end)) => {
                let name = format!("GAGGLE_{}_{}", key.to_uppercase(), n + 1);
                self.warn(key, texts::sensitive_command(&format!("`{name}`")));
                workload.secret.insert(name.clone(), SecretString::from(word[start..end].to_owned()));
                Word::Variable(word[..start].to_owned(), name, word[end..].to_owned())
            }
            None => Word::Text(word.to_owned()),
        }
    }

    fn pulling(&self, workload: &mut Workload) {
        workload.pull = match self.fields.text("pull_policy") {
            None => None,
            Some("always") => Some(Pull::Always),
            Some("never") => Some(Pull::Never),
            Some("missing" | "if_not_present" | "build") => Some(Pull::IfNotPresent),
            Some(other) => {
                self.warn("pull_policy", texts::pull_policy(other));
                Some(Pull::Always)
            }
        };
    }

    fn platform(&self, workload: &mut Workload) {
        let Some(written) = self.fields.text("platform") else { return };
        let mut parts = written.split('/');
        let os = parts.next().unwrap_or("").to_ascii_lowercase();
        let arch = parts.next().unwrap_or("").to_ascii_lowercase();
        let arch = match arch.as_str() {
            "" => None,
            "amd64" | "x86_64" | "x86-64" => Some("amd64"),
            "arm64" | "aarch64" => Some("arm64"),
            "arm" | "armhf" | "armel" => Some("arm"),
            "386" | "i386" => Some("386"),
            "ppc64le" => Some("ppc64le"),
            "s390x" => Some("s390x"),
            "riscv64" => Some("riscv64"),
            _ => return self.warn("platform", texts::platform(written)),
        };
        if os != "linux" && os != "windows" {
            return self.warn("platform", texts::platform(written));
        }
        workload.host.os = Some(os);
        workload.host.arch = arch.map(str::to_owned);
    }
}

/// Where the value of one of the service's secret variables stands in a word, and which.
fn known_part(workload: &Workload, word: &str) -> Option<(usize, usize, String)> {
    let known = workload.secret.iter().map(|(name, value)| (name, value.expose_secret()));
    known.filter(|(name, value)| value.len() >= 8 && names_variable(name)).find_map(|(name, value)| {
        let start = word.find(value)?;
        Some((start, start + value.len(), name.clone()))
    })
}

/// What can stand in `$(NAME)`.
fn names_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Where a credential stands in a word: after a flag that says so, in a flag of its own, or anywhere by its form.
fn secret_part(before: &str, word: &str) -> Option<(usize, usize)> {
    let whole = (0, word.len());
    let flag = |text: &str| text.starts_with('-') && named_so(text.trim_start_matches('-'));
    let known = |text: &str| matches!(text.trim_start_matches('-'), "requirepass" | "masterauth" | "auth-pass");
    let is_value = |text: &str| !text.is_empty() && !text.starts_with('-') && !text.starts_with('/') && !text.contains(' ');
    if before.starts_with('-') && (flag(before) || known(before)) && !before.contains('=') && is_value(word) {
        return Some(whole)
            .filter(|_| word.parse::<f64>().is_err() || known(before) || before.to_ascii_lowercase().contains("pass"));
    }
    if let Some((name, value)) = word.split_once('=')
        && !name.contains(char::is_whitespace)
        && name.starts_with('-')
        && (named_so(name.trim_start_matches('-')) || known(name))
        && is_value(value)
        && !["true", "false", "yes", "no"].contains(&value)
        && value.parse::<f64>().is_err()
    {
        return Some((name.len() + 1, word.len()));
    }
    if !is_credential(word) {
        // `sh -c "redis-server --requirepass x"`: one word with several in it.
        return inner_part(word);
    }
    Some(whole)
}

/// Such a flag within a line for a shell. Only what needs no quotes is told apart.
fn inner_part(line: &str) -> Option<(usize, usize)> {
    if !line.contains(' ') || !line.contains("-") {
        return None;
    }
    let mut before = "";
    for word in line.split(char::is_whitespace) {
        let at = word.as_ptr() as usize - line.as_ptr() as usize;
        let plain = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=!@%+:,".contains(&b));
        if plain && let Some((start, end)) = secret_part(before, word) {
            return Some((at + start, at + end));
        }
        if !word.is_empty() {
            before = word;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::secret_part;

    #[test]
    fn credentials_in_commands() {
        let part = |before: &str, word: &'static str| secret_part(before, word).map(|(start, end)| &word[start..end]);
        assert_eq!(part("--requirepass", "s3cret"), Some("s3cret"));
        assert_eq!(part("--password", "1234"), Some("1234"));
        assert_eq!(part("", "--password=s3cret"), Some("s3cret"));
        assert_eq!(part("", "--api-key=abc"), Some("abc"));
        assert_eq!(part("", "postgres://a:b@db/x"), Some("postgres://a:b@db/x"));
        assert_eq!(part("-c", "redis-server --requirepass s3cret --appendonly yes"), Some("s3cret"));
        for (before, word) in [
            ("", "--password-file=/run/secrets/x"),
            ("--password-file", "/run/secrets/x"),
            ("--token-ttl", "3600"),
            ("--requirepass", "--save"),
            ("", "--key-size=2048"),
            ("", "npm run start"),
            ("-c", "echo $PASSWORD"),
            ("", "--default-authentication-plugin=mysql_native_password"),
        ] {
            assert_eq!(part(before, word), None, "{before} {word}");
        }
    }
}
