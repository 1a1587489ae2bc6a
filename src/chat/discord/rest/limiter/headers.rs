//! What the headers of an answer tell of rates.
//!
//! Invariant: whatever they hold, no time is negative, endless or none.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::super::fault;

/// Without a word of Discord's on how long.
const PAUSE: Duration = Duration::from_secs(1);
/// Nobody is believed who wants a longer pause.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longer names of buckets are not names.
const NAME: usize = 128;

/// The state of a bucket as an answer tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub bucket: Arc<str>,
    pub limit: u32,
    pub remaining: u32,
    pub reset: Duration,
}

/// What a 429 is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This bot in this bucket.
    User,
    /// This bucket, by whomever. It does not count as an invalid request.
    Shared,
    /// All that the bot does.
    Global,
}

fn seconds(value: f64) -> Option<Duration> {
    (value.is_finite() && value >= 0.0).then(|| Duration::from_secs_f64(value.min(LONGEST.as_secs_f64())))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `None`: the answer tells nothing.
pub fn told(headers: &HeaderMap) -> Option<Told> {
    let bucket = header(headers, "x-ratelimit-bucket").filter(|name| !name.is_empty() && name.len() <= NAME)?;
    Some(Told {
        bucket: bucket.into(),
        limit: header(headers, "x-ratelimit-limit")?.parse().ok().filter(|limit| *limit > 0)?,
        remaining: header(headers, "x-ratelimit-remaining")?.parse().ok()?,
        reset: seconds(header(headers, "x-ratelimit-reset-after")?.parse().ok()?)?,
    })
}

/// How long a 429 wants nothing, and of what. `None`: it is no limit that passes by waiting.
pub fn limited(headers: &HeaderMap, body: &[u8]) -> Option<(Duration, Scope)> {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    let code = body.as_ref().and_then(|body| body["code"].as_u64()).unwrap_or(0);
    let wait = body.as_ref().and_then(|body| body["retry_after"].as_f64()).and_then(seconds);
    let wait = wait.or_else(|| header(headers, RETRY_AFTER.as_str())?.parse().ok().and_then(seconds));
    if code == fault::TOO_OLD || (code != 0 && wait.is_none()) {
        return None;
    }
    let is_global = body.as_ref().is_some_and(|body| body["global"] == true) || headers.contains_key("x-ratelimit-global");
    let scope = match header(headers, "x-ratelimit-scope") {
        Some("global") => Scope::Global,
        _ if is_global => Scope::Global,
        Some("shared") => Scope::Shared,
        // Without Discord's JSON it was said by what stands before it, and is about the whole address.
        _ if body.is_none() => Scope::Global,
        _ => Scope::User,
    };
    Some((wait.unwrap_or(PAUSE), scope))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_odd_tells_nothing() {
        let told_of = |limit, remaining, reset| {
            told(&map(&[
                ("x-ratelimit-bucket", "abc"),
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset-after", reset),
            ]))
        };
        let good = told_of("5", "4", "1.250").unwrap();
        assert_eq!((good.limit, good.remaining, good.reset), (5, 4, Duration::from_millis(1250)));
        for (limit, remaining, reset) in [("0", "0", "1"), ("5", "-1", "1"), ("5", "4", "-1"), ("5", "4", "NaN"), ("x", "4", "1")]
        {
            assert_eq!(told_of(limit, remaining, reset), None, "{limit} {remaining} {reset}");
        }
        assert_eq!(told_of("5", "0", "1e300").unwrap().reset, LONGEST);
    }

    #[test]
    fn a_limit_is_read_from_the_body_first() {
        let of = |pairs: &[(&'static str, &'static str)], body: &str| limited(&map(pairs), body.as_bytes());
        let ms = Duration::from_millis;
        let user = of(&[("retry-after", "2"), ("x-ratelimit-scope", "user")], r#"{"retry_after":1.337,"global":false}"#);
        assert_eq!(user, Some((ms(1337), Scope::User)));
        assert_eq!(of(&[("x-ratelimit-scope", "shared")], r#"{"retry_after":3}"#), Some((ms(3000), Scope::Shared)));
        assert_eq!(of(&[("x-ratelimit-global", "true")], r#"{"retry_after":3}"#), Some((ms(3000), Scope::Global)));
        assert_eq!(of(&[], r#"{"retry_after":0.5,"global":true}"#), Some((ms(500), Scope::Global)));
        assert_eq!(of(&[("retry-after", "60")], "<html>"), Some((ms(60_000), Scope::Global)));
        assert_eq!(of(&[], r#"{"retry_after":-5}"#), Some((PAUSE, Scope::User)));
        assert_eq!(of(&[], r#"{"retry_after":2,"code":20028}"#), Some((ms(2000), Scope::User)));
        assert_eq!(of(&[("retry-after", "9")], r#"{"message":"x","code":30046}"#), None);
        assert_eq!(of(&[], r#"{"message":"x","code":20000}"#), None);
    }
}
