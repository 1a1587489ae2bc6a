//! Which variables are secrets: by whole words of their names, and by what their values are.
//!
//! Invariant: tells by name and value alone, so that the same variable is the same everywhere. Does not know whether a value is
//! used.

use std::borrow::Cow;

/// Words that make a name one of a secret.
const WORDS: &[&str] =
    &["PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "SECRET", "TOKEN", "KEY", "APIKEY", "CREDENTIALS", "CREDENTIAL"];
/// These also at the end of a name's last word: `PGPASSWORD`.
const ENDS: &[&str] = &["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIALS"];
/// What people type as one, so that a number is one, too.
const TYPED: &[&str] = &["PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "SECRET"];
const SWITCHES: &[&str] = &["TRUE", "FALSE", "YES", "NO", "ON", "OFF", "0", "1", "NULL", "NONE", "ENABLED", "DISABLED"];

/// Whether a variable has to be kept from those who may not see secrets.
pub fn is_sensitive(name: &str, value: &str) -> bool {
    (named_so(name) && !is_harmless(name, value)) || is_credential(value)
}

/// Whether a name is one of a secret, whatever the value.
pub fn named_so(name: &str) -> bool {
    let words = words(name);
    match words.last().map(|word| trimmed(word)) {
        None | Some("FILE") => false,
        Some(last) => ends_so(last) || words.iter().any(|word| WORDS.contains(&trimmed(word))),
    }
}

fn ends_so(word: &str) -> bool {
    ENDS.iter().any(|end| word.ends_with(end))
}

/// Switches and numbers are settings, but a number may be somebody's password.
fn is_harmless(name: &str, value: &str) -> bool {
    let value = value.trim();
    if SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch)) {
        return true;
    }
    let words = words(name);
    let last = words.last().map_or("", |word| trimmed(word));
    let typed = TYPED.contains(&last) || (ends_so(last) && !last.ends_with("TOKEN"));
    !value.is_empty() && value.parse::<f64>().is_ok_and(f64::is_finite) && !typed
}

/// In upper case: `apiKey`, `API_KEY` and `api-key` are the same two.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (i, c) in letters.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|b| letters.get(b));
        let after = letters.get(i + 1);
        let begins = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit()) && letters.iter().any(|l| l.is_lowercase())
                || before.is_some_and(|b| b.is_uppercase()) && after.is_some_and(|a| a.is_lowercase()));
        if (!c.is_alphanumeric() || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_uppercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    // `DB_PASSWORD_2` is one of two.
    while words.len() > 1 && words.last().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit())) {
        words.pop();
    }
    words
}

fn trimmed(word: &str) -> &str {
    match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "" => word,
        rest => rest,
    }
}

/// Tokens that can be told by how they begin: the beginning, and how many characters follow at least.
const TOKENS: &[(&str, usize)] = &[
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("gldt-", 20),
    ("glrt-", 20),
    ("xoxb-", 10),
    ("xoxa-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xapp-", 10),
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 35),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("npm_", 30),
    ("pypi-", 30),
    ("SG.", 40),
    ("hf_", 30),
    ("hvs.", 20),
    ("dckr_pat_", 20),
    ("dop_v1_", 40),
    ("shpat_", 30),
    ("lin_api_", 30),
    ("glsa_", 30),
    ("tskey-", 16),
    ("AGE-SECRET-KEY-1", 40),
    ("https://hooks.slack.com/services/", 20),
    ("https://discord.com/api/webhooks/", 30),
];

/// What tokens begin with, and how long the shortest is.
const FIRST: &[u8] = b"ghxsrwAyGnpSdltTaCh";
const LEAST: usize = 14;

/// Whether a value is a credential or holds one, whatever it is called: a private key, a token of a known form, a URL or a
/// connection string with a password.
pub fn is_credential(value: &str) -> bool {
    has_private_key(value) || has_token(value) || has_url_password(value) || has_dsn_password(value)
}

/// The same of a file.
pub fn is_credential_file(content: &[u8]) -> bool {
    let text: Cow<'_, str> = String::from_utf8_lossy(content);
    has_private_key(&text) || has_token(&text)
}

fn has_private_key(value: &str) -> bool {
    value.contains("PRIVATE KEY-----") && value.contains("-----BEGIN ") || value.contains("PuTTY-User-Key-File-")
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-_./+=".contains(&b)
}

/// Looks only where words begin, since this is asked of every value there is.
fn has_token(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut inside = false;
    for (at, byte) in bytes.iter().enumerate() {
        let begins = !std::mem::replace(&mut inside, byte.is_ascii_alphanumeric() || b"-_".contains(byte));
        if !begins || bytes.len() - at < LEAST {
            continue;
        }
        let word = &bytes[at..];
        let is_token = |(start, least): &(&str, usize)| {
            word.strip_prefix(start.as_bytes())
                .is_some_and(|rest| rest.iter().take_while(|b| is_token_byte(**b)).count() >= *least && is_random(start, rest))
        };
        if FIRST.contains(byte) && TOKENS.iter().any(is_token) || word.starts_with(b"eyJ") && is_web_token(&value[at..]) {
            return true;
        }
    }
    false
}

/// A JSON Web Token: two objects and a signature, in base64.
fn is_web_token(text: &str) -> bool {
    let word = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).next().unwrap_or("");
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() >= 3 && parts[..2].iter().all(|part| part.len() >= 10) && parts[1].starts_with("eyJ")
}

/// `sk-` begins words of languages, too: a token has a digit or an upper-case letter, and `AKIA` only these.
fn is_random(start: &str, rest: &[u8]) -> bool {
    match start {
        "AKIA" | "ASIA" => rest[..16].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        _ => rest.iter().take_while(|b| is_token_byte(**b)).any(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
    }
}

/// `scheme://user:password@host`, anywhere.
fn has_url_password(value: &str) -> bool {
    value.match_indices("://").any(|(at, _)| {
        let scheme = value[..at].bytes().next_back().is_some_and(|b| b.is_ascii_alphanumeric());
        let rest = &value[at + 3..];
        let end = rest.find(|c: char| c == '/' || c == '?' || c == '#' || c.is_whitespace() || c == '"' || c == '\'');
        let authority = &rest[..end.unwrap_or(rest.len())];
        // Passwords with a slash are not valid, and are written all the same.
        let authority = match authority.contains('@') {
            true => authority,
            false => rest.split(|c: char| c.is_whitespace() || c == '"' || c == '\'').next().unwrap_or(""),
        };
        scheme
            && authority.rsplit_once('@').is_some_and(|(user, host)| {
                let is_port = |pass: &str| pass.split_once('/').is_some_and(|(port, _)| port.bytes().all(|b| b.is_ascii_digit()));
                let has = |(name, pass): (&str, &str)| !pass.is_empty() && !name.contains('/') && !is_port(pass);
                !host.is_empty() && user.split_once(':').is_some_and(has)
            })
    }) || query_password(value)
}

fn query_password(value: &str) -> bool {
    value.contains("://")
        && value.split_once('?').is_some_and(|(_, query)| {
            query.split('&').filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
                !value.is_empty()
                    && ["password", "passwd", "pass", "sslpassword", "access_token"]
                        .iter()
                        .any(|known| name.eq_ignore_ascii_case(known))
            })
        })
}

/// `Server=…;Password=…`, `host=… password=…`, `user:password@tcp(host)`.
fn has_dsn_password(value: &str) -> bool {
    let mut pairs = value.split([';', ' ']).filter_map(|pair| pair.split_once('='));
    let has = |name: &str| ["password", "pwd"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
    let several = value.contains(';') || value.contains(' ');
    (several && pairs.any(|(name, value)| has(name) && !value.trim().is_empty()))
        || ["@tcp(", "@unix("].iter().any(|mark| {
            value.split_once(mark).is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, pass)| !pass.is_empty()))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_name() {
        for name in [
            "PASSWORD",
            "DB_PASSWORD",
            "POSTGRES_PASSWORD",
            "PGPASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "WEBPASSWORD",
            "password",
            "db-password",
            "spring.datasource.password",
            "dbPassword",
            "DB_PASS",
            "REDIS_PASS",
            "SECRET",
            "JWT_SECRET",
            "CLIENTSECRET",
            "SECRET_KEY_BASE",
            "API_KEY",
            "apiKey",
            "OpenAIApiKey",
            "AWS_SECRET_ACCESS_KEY",
            "TOKEN",
            "GITHUB_TOKEN",
            "ACCESSTOKEN",
            "CREDENTIALS",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "AWSCREDENTIALS",
            "DB_PASSWORD2",
            "DB_PASSWORD_2",
            "DB_PASSWD",
            "LDAPPASSWD",
        ] {
            assert!(is_sensitive(name, "x7"), "{name}");
        }
        for name in [
            "KEYCLOAK_URL",
            "MONKEY",
            "COMPASS",
            "COMPASS_URL",
            "BYPASS",
            "PASSENGER",
            "TOKENIZER",
            "TOKENIZERS_PARALLELISM",
            "SECRETARY",
            "KEYBOARD",
            "POSTGRES_PASSWORD_FILE",
            "SECRET_KEY_FILE",
            "MYSQL_ROOT_PASSWORD_FILE",
            "DATABASE_URL",
            "HOST",
            "",
            "_",
            "PATH",
            "PASSAGE",
        ] {
            assert!(!is_sensitive(name, "/x/y"), "{name}");
        }
    }

    #[test]
    fn switches_and_numbers_are_settings() {
        for (name, value) in [
            ("ALLOW_EMPTY_PASSWORD", "yes"),
            ("MYSQL_ALLOW_EMPTY_PASSWORD", "1"),
            ("MYSQL_RANDOM_ROOT_PASSWORD", "true"),
            ("REQUIRE_TOKEN", "False"),
            ("TOKEN_TTL", "3600"),
            ("PASSWORD_MIN_LENGTH", "8"),
            ("MAX_TOKEN", "4096"),
            ("KEY_SIZE", "2048"),
        ] {
            assert!(!is_sensitive(name, value), "{name}={value}");
        }
        for (name, value) in [("POSTGRES_PASSWORD", "1234"), ("PGPASSWORD", "123456"), ("DB_PASS", "0815"), ("DB_PASSWORD", "")] {
            assert!(is_sensitive(name, value), "{name}={value}");
        }
    }

    #[test]
    fn by_value() {
        for value in [
            "postgres://app:s3cret@db:5432/app",
            "redis://:s3cret@cache:6379/0",
            "amqp://guest:guest@mq",
            "a list: http://x mongodb+srv://u:p@cluster.example.com/?a=b",
            "postgres://app:pa/ss@db/app",
            "jdbc:mysql://db/app?user=app&password=x",
            "Server=db;Database=app;User Id=sa;Password=Pass1",
            "host=db user=app password=x",
            "app:secret@tcp(db:3306)/app",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
            concat!("gh", "p_0123456789abcdefghijABCDEFGHIJ012345"),
            concat!("AK", "IAIOSFODNN7EXAMPLE"),
            concat!("gl", "pat-abcdefghij0123456789"),
            concat!("xo", "xb-123456789012-abcdef"),
            concat!("sk", "-proj-abcdefghijklmnopqrstuvwxyz012345"),
            concat!("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
        ] {
            assert!(is_sensitive("SETTING", value), "{value}");
        }
        for value in [
            "postgres://db:5432/app",
            "postgres://app@db/app",
            "postgres://app:@db/app",
            "http://web:8080/path:with@signs",
            "http://[::1]:8080/",
            "mailto:a:b@c",
            "sk-learn-is-a-library-of-python-people",
            "Xms512m -Xmx512m",
            "a=b c=d",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            "eyJ",
            "time=12:30 user@example.com",
            "",
        ] {
            assert!(!is_sensitive("SETTING", value), "{value}");
        }
        assert!(is_sensitive("KEYCLOAK_URL", "https://admin:pw@sso.example.com"));
    }

    #[test]
    fn every_beginning_is_looked_for() {
        for (start, least) in TOKENS {
            assert!(FIRST.contains(&start.as_bytes()[0]) && start.len() + least >= LEAST, "{start}");
            let token = format!("{start}{}", "A1".repeat(*least));
            assert!(is_credential(&format!("a \"{token}\"")), "{start}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(name in ".{0,40}", value in ".{0,200}") {
            let _ = (is_sensitive(&name, &value), is_credential_file(value.as_bytes()));
        }

        #[test]
        fn a_word_counts_wherever_it_stands(before in "[A-Z]{1,6}", after in "[A-Z]{1,6}", word in "PASSWORD|SECRET|TOKEN|KEY|PASS") {
            prop_assume!(after != "FILE");
            let alone = format!("{before}_{word}_{after}");
            prop_assert!(is_sensitive(&alone, "v"));
            let lower = alone.to_lowercase();
            prop_assert!(is_sensitive(&lower, "v"));
        }
    }
}
