//! Bearer tokens: which texts can be one, until when one is good, what it may be known by.
//!
//! Invariant: nothing that leaves here helps to guess a token: of those that a person may have thought up there is no digest.

use base64::Engine as _;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The longest that a server takes in a header.
const LONGEST: usize = 64 * 1024;

/// The token of what was given.
pub fn read(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("the token is empty");
    }
    if text.len() > LONGEST {
        return Err("the token is longer than 64 KiB");
    }
    if text.contains("-----BEGIN") {
        return Err("this is PEM, not a token; give certificates and keys as such");
    }
    if text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err("the token alone belongs here, without `Bearer`");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("the token holds a space, a line break or a control character inside; give it in one line");
    }
    if !text.is_ascii() {
        return Err("the token holds characters that no token has; was it copied from formatted text?");
    }
    Ok(text.to_owned())
}

/// Its parts, if it is a JSON Web Token.
fn parts(token: &str) -> Option<(serde_json::Value, &str)> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    claims.is_object().then_some((claims, signature))
}

/// `exp` of a JSON Web Token.
pub fn expires(token: &str) -> Option<Timestamp> {
    let (claims, _) = parts(token)?;
    let seconds = claims.get("exp")?.as_f64().filter(|seconds| seconds.is_finite())?;
    // Truncation is meant, and what is too large becomes the last moment.
    Some(Timestamp::from_second(seconds as i64).unwrap_or(Timestamp::MAX))
}

/// The start of its SHA-256, if it is surely random: signed, or long and of a machine's alphabet.
pub fn fingerprint(token: &str) -> Option<String> {
    let signed = parts(token).is_some_and(|(_, signature)| signature.len() >= 43);
    if !signed && !random(token) {
        return None;
    }
    let hex: Vec<String> = Sha256::digest(token.as_bytes()).iter().take(4).map(|byte| format!("{byte:02X}")).collect();
    Some(format!("SHA256:{}…", hex.join(":")))
}

/// At least 128 bits by any reading: 32 hexadecimal digits, or 40 letters and digits well mixed, in one run.
fn random(token: &str) -> bool {
    let run = token.rsplit(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|run| run.len()).unwrap_or_default();
    let count = |is: fn(&char) -> bool| run.chars().filter(is).count();
    let digits = count(char::is_ascii_digit);
    let letters = run.len() - digits;
    let distinct = run.chars().collect::<std::collections::BTreeSet<_>>().len();
    let hexadecimal = run.len() >= 32 && distinct >= 10 && run.chars().all(|c| c.is_ascii_hexdigit()) && digits * 4 >= run.len();
    hexadecimal || (run.len() >= 40 && distinct >= 16 && digits >= 4 && letters >= 8)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A JSON Web Token whose signature is none.
    pub fn jwt(claims: &str) -> String {
        let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(claims), encode("no signature at all, only as long as one is"))
    }

    #[test]
    fn what_can_be_a_token() {
        assert_eq!(read(" abc \n"), Ok("abc".into()));
        for wrong in ["", " \n", "a b", "a\nb", "a\u{7}b", "a\u{a0}b", "Bearer abc", "-----BEGIN CERTIFICATE-----", "tökén"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        assert!(read(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn until_when() {
        assert_eq!(expires(&jwt(r#"{"exp":1700000000}"#)), Timestamp::from_second(1_700_000_000).ok());
        assert_eq!(expires(&jwt(r#"{"exp":1.7e9}"#)), Timestamp::from_second(1_700_000_000).ok());
        assert_eq!(expires(&jwt(r#"{"exp":1e300}"#)), Some(Timestamp::MAX));
        for none in [r#"{"exp":"soon"}"#, r#"{"iss":"x"}"#, "[]", "not json"] {
            assert_eq!(expires(&jwt(none)), None, "{none}");
        }
        assert_eq!(expires("a.b"), None);
        assert_eq!(expires("abcdef.0123456789abcdef"), None);
    }

    #[test]
    fn only_random_ones_are_known_by_something() {
        let known = fingerprint(&jwt("{}")).unwrap();
        assert!(known.starts_with("SHA256:") && known.len() < 24, "{known}");
        assert!(fingerprint("0123456789abcdef0123456789abcdef").is_some());
        assert!(fingerprint("kubeconfig-u-abcde12345:x7k2m9p4q8r1s5t3v6w0y2z4b7c9d1f3g5h8j0k2m4n6p8").is_some());
        for guessable in ["hunter2", "correct-horse-battery-staple-and-some-more-words", "abcdef.0123456789abcdef", "a.b.c"] {
            assert_eq!(fingerprint(guessable), None, "{guessable}");
        }
        assert_eq!(fingerprint(&"a".repeat(100)), None);
    }
}
