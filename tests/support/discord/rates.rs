//! How fast a bot may call: a bucket for each route and place, one for all together, and a ban for who asks wrongly too often.
//!
//! Invariant: a call that is over its rate has no effect.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::rules::{RENAME, Rate};
use super::state::{Bucket, State};

/// What the headers tell.
#[derive(Debug, Clone)]
pub struct Told {
    pub limit: usize,
    pub remaining: usize,
    pub reset: f64,
    pub reset_after: f64,
    pub bucket: String,
}

#[derive(Debug, Clone)]
pub struct Limited {
    pub retry_after: f64,
    /// `user`, `shared` or `global`.
    pub scope: &'static str,
}

impl Limited {
    pub fn body(&self) -> Value {
        json!({ "message": "You are being rate limited.", "retry_after": self.retry_after, "global": self.scope == "global" })
    }
}

const INVALID_WINDOW: Duration = Duration::from_secs(600);

/// The part of a path by which places have buckets of their own.
fn major(route: &str, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.first() {
        Some(&("channels" | "guilds")) => parts.get(1).copied().unwrap_or_default().to_owned(),
        Some(&"webhooks") => parts.iter().skip(1).take(2).copied().collect::<Vec<_>>().join("/"),
        Some(&"applications") if route.contains("/guilds/") => parts.get(3).copied().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// Interactions and their webhooks do not count against the whole.
fn is_interaction(route: &str) -> bool {
    route.contains("/interactions/") || route.contains("/webhooks/{id}/{token}")
}

impl State {
    fn take(&mut self, key: String, rate: Rate) -> Result<Bucket, Duration> {
        let now = self.now();
        let bucket = self.buckets.entry(key).or_insert(Bucket { used: 0, until: now });
        if bucket.until <= now {
            *bucket = Bucket { used: 0, until: now + rate.window };
        }
        if bucket.used >= rate.calls {
            return Err(bucket.until - now);
        }
        bucket.used += 1;
        Ok(*bucket)
    }

    /// Counts a call, or says how long it has to wait.
    pub fn admit(&mut self, route: &str, path: &str, body: &Value) -> Result<Option<Told>, (Limited, Option<Told>)> {
        let seconds = |wait: Duration| (wait.as_secs_f64().max(0.001) * 1_000.0).ceil() / 1_000.0;
        if let Some(rate) = self.rules.global.filter(|_| !is_interaction(route))
            && let Err(wait) = self.take("global".into(), rate)
        {
            return Err((Limited { retry_after: seconds(wait), scope: "global" }, None));
        }
        let place = major(route, path);
        let mut told = None;
        if let Some(rate) = self.rules.rates.get(route).copied() {
            let key = format!("{route} {place}");
            let taken = self.take(key.clone(), rate);
            let bucket = self.buckets[&key];
            let rest = bucket.until.saturating_duration_since(self.now());
            let reset = Duration::from_millis(self.millis()) + rest;
            told = Some(Told {
                limit: rate.calls,
                remaining: rate.calls.saturating_sub(bucket.used),
                reset: (reset.as_secs_f64() * 1_000.0).ceil() / 1_000.0,
                reset_after: seconds(rest),
                bucket: hash(route),
            });
            if let Err(wait) = taken {
                return Err((Limited { retry_after: seconds(wait), scope: "user" }, told));
            }
        }
        if route == "PATCH /channels/{id}"
            && (!body["name"].is_null() || !body["topic"].is_null())
            && let Some(rate) = self.rules.rates.get(RENAME).copied()
            && let Err(wait) = self.take(format!("{RENAME} {place}"), rate)
        {
            return Err((Limited { retry_after: seconds(wait), scope: "user" }, told));
        }
        Ok(told)
    }

    /// Remembers an answer that must not come too often; `shared` ones do not count.
    pub fn count_invalid(&mut self, status: u16, scope: &str) {
        if matches!(status, 401 | 403) || status == 429 && scope != "shared" {
            let now = self.now();
            self.invalid.push_back(now);
        }
    }

    pub fn banned(&mut self) -> bool {
        let now: Instant = self.now();
        while self.invalid.front().is_some_and(|at| now.duration_since(*at) > INVALID_WINDOW) {
            self.invalid.pop_front();
        }
        self.invalid.len() >= self.rules.invalid_requests
    }
}

/// A name for a route's bucket that says nothing.
fn hash(route: &str) -> String {
    let sum = route.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}
