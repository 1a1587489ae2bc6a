//! Which variables hold secrets: by whole words of the name, and by the forms that tokens are known to have.
//!
//! Knows nothing of where a variable comes from. No caller may repeat a value for which this says yes.

/// Words that make a name sensitive wherever they stand in it.
const WORDS: &[&str] = &[
    "PASSWORD",
    "PASSWORDS",
    "PASSWD",
    "PASS",
    "PASSPHRASE",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
    "CREDENTIAL",
    "CREDENTIALS",
    "APIKEY",
];

/// Endings that make a name sensitive although they are run together with what precedes them, as in PGPASSWORD.
const ENDINGS: &[&str] = &["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIALS", "APIKEY"];

/// What makes a KEY a secret one when it stands before it; a PUBLIC_KEY, a SORT_KEY and a KEY_ID are none.
const KEYS: &[&str] = &[
    "API",
    "ACCESS",
    "PRIVATE",
    "SECRET",
    "ENCRYPTION",
    "SIGNING",
    "SIGNATURE",
    "MASTER",
    "AUTH",
    "ACCOUNT",
    "STORAGE",
    "SERVER",
    "SESSION",
    "SSH",
    "JWT",
    "HMAC",
    "COOKIE",
    "LICENSE",
    "DEPLOY",
];

/// A token's fixed beginning, and how many more characters make it one.
const TOKENS: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghs_", 16),
    ("ghu_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxe-", 8),
    ("xoxe.", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("AKIA", 16),
    ("ASIA", 16),
    ("glpat-", 12),
    ("AIza", 30),
    ("npm_", 20),
    ("hf_", 20),
];

/// Whether a variable of this name usually holds a secret.
pub fn sensitive_name(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else {
        return false;
    };
    if matches!(last.as_str(), "FILE" | "PATH" | "DIR") && words.len() > 1 {
        return false;
    }
    words.iter().enumerate().any(|(i, word)| {
        WORDS.contains(&word.as_str())
            || ((word == "KEY" || word == "KEYS") && i > 0 && KEYS.contains(&words[i - 1].as_str()))
            || (word == "PWD" && i > 0)
    }) || ENDINGS.iter().any(|ending| last.ends_with(ending))
}

/// Whether a value is a private key, a token of a known form, or holds a URL with a password.
pub fn sensitive_value(value: &str) -> bool {
    private_key(value) || known_token(value) || jwt(value) || url_with_password(value)
}

/// Whether a variable is to be kept as a secret. A boolean or a number never is, whatever its name.
pub fn sensitive(name: &str, value: &str) -> bool {
    sensitive_value(value) || (sensitive_name(name) && !plain(value))
}

/// The words of a name, in capitals: API_KEY, api-key and apiKey have the same two.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (lower && c.is_uppercase()) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            lower = false;
        }
        if c.is_alphanumeric() {
            lower = c.is_lowercase() || c.is_ascii_digit();
            word.extend(c.to_uppercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn plain(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    let boolean = matches!(value.as_str(), "" | "true" | "false" | "yes" | "no" | "on" | "off" | "enabled" | "disabled");
    let number = value.strip_prefix(['-', '+']).unwrap_or(&value);
    boolean
        || (number.bytes().filter(|b| *b == b'.').count() <= 1
            && number.bytes().any(|b| b.is_ascii_digit())
            && number.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn private_key(value: &str) -> bool {
    value.split("-----BEGIN ").skip(1).any(|rest| rest.split("-----").next().unwrap_or(rest).contains("PRIVATE KEY"))
}

fn token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The rests of `value` after each `start` that begins a word.
fn after<'a>(value: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    value.match_indices(start).filter_map(move |(at, _)| {
        let before = value[..at].chars().next_back();
        (!before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-')).then(|| &value[at + start.len()..])
    })
}

fn known_token(value: &str) -> bool {
    TOKENS.iter().any(|(start, least)| {
        after(value, start).any(|rest| {
            let rest = &rest[..rest.find(|c| !token_char(c)).unwrap_or(rest.len())];
            // "sk-" and "hf_" also begin ordinary words, which have no digit or capital in them.
            rest.len() >= *least && rest.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        })
    })
}

fn jwt(value: &str) -> bool {
    after(value, "eyJ").any(|rest| {
        let end = rest.find(|c| !token_char(c) && c != '.').unwrap_or(rest.len());
        let parts: Vec<&str> = rest[..end].split('.').collect();
        parts.len() >= 3 && parts[0].len() >= 4 && parts[1].len() >= 4
    })
}

fn url_with_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'')).unwrap_or(rest.len());
        rest[..end]
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            // `$PASSWORD` and `<password>` stand for one.
            .is_some_and(|(_, pass)| !pass.is_empty() && !pass.starts_with(['$', '<']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "MYSQL_PASS",
            "PGPASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "CLIENT_SECRET",
            "SECRET",
            "GIT_TOKEN",
            "GITHUBTOKEN",
            "OPENAI_API_KEY",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "PRIVATE_KEY",
            "apiKey",
            "dbPassword",
            "GOOGLE_CREDENTIALS",
            "db-password",
            "DB_PWD",
            "OPENAI_APIKEY",
            "RABBITMQ_DEFAULT_PASS",
        ] {
            assert!(sensitive_name(name), "{name}");
        }
        for name in [
            "KEYCLOAK_URL",
            "MONKEY",
            "COMPASS",
            "POSTGRES_PASSWORD_FILE",
            "KEY",
            "SORT_KEY",
            "PUBLIC_KEY",
            "TOKENIZER",
            "PWD",
            "",
            "_",
            "BYPASS",
            "SECRETARY",
            "PASSENGER",
            "KEYBOARD",
            "KEY_FILE",
        ] {
            assert!(!sensitive_name(name), "{name}");
        }
    }

    #[test]
    fn values() {
        for value in [
            "-----BEGIN RSA PRIVATE KEY-----\nabc",
            "-----BEGIN PRIVATE KEY-----",
            "sk-proj-abcDEF1234567890abcd",
            "ghp_abcdefghijklmnop1234",
            "github_pat_11ABCDEFG0123456789",
            "xoxb-123456789-abcdef",
            "xapp-1-A012-345-abc",
            "AKIAIOSFODNN7EXAMPLE",
            "glpat-abcdEFGH1234",
            "AIzaSyA-1234567890abcdefghijklmnopqrstu",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "npm_abcdefghij1234567890",
            "hf_abcdefghij1234567890",
            "Bearer ghp_abcdefghijklmnop1234",
            "postgres://u:p@host/db",
            "redis://:pw@host",
            "see https://a:b@c.d/e",
        ] {
            assert!(sensitive_value(value), "{value}");
        }
        for value in [
            "-----BEGIN CERTIFICATE-----",
            "sk-",
            "sk-learn",
            "hf_transfer-is-a-longer-word",
            "https://host:8080/x@y",
            "ssh://git@host/x",
            "postgres://u@host",
            "postgres://u:$PASSWORD@host",
            "eyJust.a.word",
            "hello",
            "",
            "désk-abcdefghijklmnopqr1",
        ] {
            assert!(!sensitive_value(value), "{value}");
        }
    }

    #[test]
    fn together() {
        assert!(sensitive("DB_PASSWORD", "hello"));
        assert!(sensitive("DATABASE_URL", "postgres://u:p@host/db"));
        assert!(!sensitive("ALLOW_EMPTY_PASSWORD", "yes"));
        assert!(!sensitive("MAX_TOKENS", "4096"));
        assert!(!sensitive("DB_PASSWORD", ""));
        assert!(sensitive("DB_PASSWORD", "1.2.3"));
    }
}
