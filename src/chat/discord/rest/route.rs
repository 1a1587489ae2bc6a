//! Where a request goes: its method and path, what it is called in metrics, and whose rates it uses.
//!
//! Invariant: what it is called holds words of Discord's API alone. Paths may hold tokens, so nothing else of them is ever shown.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;

/// The parts of paths that are the same for everybody.
const WORDS: &[&str] = &[
    "@me",
    "@original",
    "active",
    "applications",
    "archived",
    "bot",
    "bulk-delete",
    "callback",
    "channels",
    "commands",
    "emojis",
    "gateway",
    "guilds",
    "interactions",
    "member",
    "members",
    "messages",
    "oauth2",
    "permissions",
    "pins",
    "private",
    "public",
    "reactions",
    "roles",
    "search",
    "thread-members",
    "threads",
    "typing",
    "users",
    "webhooks",
];

/// Whose rates hold, and what opens the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bot's token, and the rate of the whole bot.
    Bot,
    /// The token stands in the path, and the rates are the webhook's own. Interactions are answered so.
    Webhook,
    /// The token stands in the path, and there is no rate.
    Callback,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Route {
    pub(super) method: Method,
    pub(super) path: Arc<str>,
    /// `PATCH /channels/*/messages/*`
    pub(super) name: Arc<str>,
    /// The part of the path that has rates of its own: a channel, a server, a webhook.
    pub(super) major: Arc<str>,
    pub(super) kind: Kind,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({})", self.name)
    }
}

impl Route {
    /// `path` begins with a slash and is without `/api/v10` and without a query.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let path: String = path.into();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let mut name = format!("{method} ");
        for part in &parts {
            name.push('/');
            name.push_str(if WORDS.contains(part) { part } else { "*" });
        }
        let (major, kind) = match parts.as_slice() {
            ["interactions", _, _, "callback"] => (String::new(), Kind::Callback),
            ["webhooks", id, token, ..] => (format!("{id}/{token}"), Kind::Webhook),
            ["channels" | "guilds" | "webhooks", id, ..] => ((*id).to_owned(), Kind::Bot),
            _ => (String::new(), Kind::Bot),
        };
        Self { method, name: name.into(), major: major.into(), kind, path: path.into() }
    }

    /// An edit of a message that stands already.
    pub(super) fn is_edit(&self) -> bool {
        self.method == Method::PATCH && self.path.contains("/messages/")
    }

    /// Doing it again changes nothing.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method != Method::POST || self.path.ends_with("/typing") || &*self.path == "/users/@me/channels"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_ids_and_no_tokens() {
        let names = [
            (Method::PATCH, "/channels/1/messages/2", "PATCH /channels/*/messages/*", "1", Kind::Bot),
            (Method::POST, "/channels/1/typing", "POST /channels/*/typing", "1", Kind::Bot),
            (
                Method::PUT,
                "/channels/1/messages/2/reactions/%F0%9F/@me",
                "PUT /channels/*/messages/*/reactions/*/@me",
                "1",
                Kind::Bot,
            ),
            (
                Method::PATCH,
                "/webhooks/1/tok/messages/@original",
                "PATCH /webhooks/*/*/messages/@original",
                "1/tok",
                Kind::Webhook,
            ),
            (Method::DELETE, "/webhooks/1", "DELETE /webhooks/*", "1", Kind::Bot),
            (Method::POST, "/interactions/1/tok/callback", "POST /interactions/*/*/callback", "", Kind::Callback),
            (Method::GET, "/gateway/bot", "GET /gateway/bot", "", Kind::Bot),
        ];
        for (method, path, name, major, kind) in names {
            let route = Route::new(method, path);
            assert_eq!((&*route.name, &*route.major, route.kind), (name, major, kind));
            assert!(!format!("{route:?}").contains("tok"));
        }
    }
}
