//! Who is told of a message: what its content names, and what `allowed_mentions` lets through.
//!
//! Invariant: only a new message, or one that fills in what was deferred, pings; the stricter reading counts where Discord's client
//! decides.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::refusal::Refusal;
use super::state::State;

static USERS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<@!?([0-9]{5,20})>").expect("a pattern"));
static ROLES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<@&([0-9]{5,20})>").expect("a pattern"));

#[derive(Debug, Clone, Default)]
pub struct Mentions {
    pub users: Vec<String>,
    pub roles: Vec<String>,
    pub everyone: bool,
    pub pinged: BTreeSet<String>,
}

impl State {
    /// `reply`: whose message is answered.
    pub fn mentions(&self, content: &str, allowed: &Value, reply: Option<&str>) -> Mentions {
        let mut found = Mentions::default();
        let listed = |key: &str, id: &str| allowed[key].as_array().is_some_and(|l| l.iter().any(|v| v == id));
        let parsed = |what: &str| allowed.is_null() || listed("parse", what);
        for user in USERS.captures_iter(content).map(|c| c[1].to_owned()) {
            if self.users.contains_key(&user) && (parsed("users") || listed("users", &user)) && !found.users.contains(&user) {
                found.pinged.insert(user.clone());
                found.users.push(user);
            }
        }
        for role in ROLES.captures_iter(content).map(|c| c[1].to_owned()) {
            let known = self.guilds.values().any(|g| g.roles.contains_key(&role));
            if known && (parsed("roles") || listed("roles", &role)) && !found.roles.contains(&role) {
                found.pinged.insert(role.clone());
                found.roles.push(role);
            }
        }
        for all in ["everyone", "here"] {
            if content.contains(&format!("@{all}")) && parsed("everyone") {
                found.everyone = true;
                found.pinged.insert(all.into());
            }
        }
        if let Some(author) = reply
            && (allowed.is_null() || allowed["replied_user"] == true)
        {
            found.pinged.insert(author.into());
            if !found.users.iter().any(|u| u == author) {
                found.users.push(author.into());
            }
        }
        found
    }
}

/// What may not stand together in `allowed_mentions`.
pub fn contradictions(allowed: &Value) -> Result<(), Refusal> {
    for what in ["users", "roles"] {
        let parsed = allowed["parse"].as_array().is_some_and(|l| l.iter().any(|v| v == what));
        if parsed && allowed[what].as_array().is_some_and(|l| !l.is_empty()) {
            let message = format!("parse:[\"{what}\"] and {what}: [ids...] are mutually exclusive.");
            return Err(Refusal::form("/allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message));
        }
    }
    Ok(())
}
