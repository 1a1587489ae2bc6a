//! Which function answers which route.
//!
//! Absence: what is not here is a route of Discord's that no bot of ours calls; calling it is a fault.

use serde_json::{Value, json};

use super::body::Body;
use super::refusal::{Answer, Refusal, ok};
use super::state::{APP, BOT, State};

/// A call, apart from its body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    pub template: &'a str,
    /// The template with short names.
    pub route: &'a str,
    pub path: &'a str,
    pub query: &'a str,
}

impl Request<'_> {
    /// A parameter of the query.
    pub fn query(&self, key: &str) -> Option<String> {
        let mut url = reqwest::Url::parse("http://query/").expect("an address");
        url.set_query(Some(self.query));
        url.query_pairs().find(|(k, _)| k == key).map(|(_, value)| value.into_owned())
    }

    pub fn number(&self, key: &str, default: u64, most: u64) -> Result<usize, Refusal> {
        let Some(text) = self.query(key) else { return Ok(usize::try_from(default).unwrap_or_default()) };
        let number = text.parse::<u64>().ok().filter(|n| (1..=most).contains(n));
        let number = number.ok_or_else(|| {
            Refusal::form(&format!("/{key}"), "NUMBER_TYPE_MAX", format!("int value should be between 1 and {most}."))
        })?;
        Ok(usize::try_from(number).unwrap_or_default())
    }
}

impl State {
    pub fn dispatch(&mut self, request: &Request<'_>, body: Body) -> Answer {
        let json = &body.json;
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        match (request.method, parts.as_slice()) {
            ("GET", ["gateway"]) => ok(json!({ "url": self.gateway_url() })),
            ("GET", ["gateway", "bot"]) => self.gateway_bot(),
            ("GET", ["users", "@me"]) => ok(self.me_json()),
            ("GET", ["users", "@me", "guilds"]) => self.my_guilds(),
            ("POST", ["users", "@me", "channels"]) => self.open_dm(json),
            ("GET", ["users", user]) => self.user_answer(user),
            ("GET", ["applications", "@me"] | ["oauth2", "applications", "@me"]) => ok(self.application_json()),
            ("GET", ["applications", app]) if *app == APP => ok(self.application_json()),
            ("PATCH", ["applications", "@me"]) => ok(self.application_json()),

            (_, ["applications", app, ..]) if *app != APP => Err(Refusal::http(403, "Forbidden")),
            ("GET", ["applications", _, "commands"]) => self.list_commands(None, request),
            ("PUT", ["applications", _, "commands"]) => self.put_commands(None, json),
            ("POST", ["applications", _, "commands"]) => self.post_command(None, json),
            ("GET", ["applications", _, "commands", id]) => self.get_command(None, id),
            ("PATCH", ["applications", _, "commands", id]) => self.patch_command(None, id, json),
            ("DELETE", ["applications", _, "commands", id]) => self.delete_command(None, id),
            ("GET", ["applications", _, "guilds", guild, "commands"]) => self.list_commands(Some(guild), request),
            ("PUT", ["applications", _, "guilds", guild, "commands"]) => self.put_commands(Some(guild), json),
            ("POST", ["applications", _, "guilds", guild, "commands"]) => self.post_command(Some(guild), json),
            ("GET", ["applications", _, "guilds", _, "commands", "permissions"]) => ok(json!([])),
            ("GET", ["applications", _, "guilds", guild, "commands", id]) => self.get_command(Some(guild), id),
            ("PATCH", ["applications", _, "guilds", guild, "commands", id]) => self.patch_command(Some(guild), id, json),
            ("DELETE", ["applications", _, "guilds", guild, "commands", id]) => self.delete_command(Some(guild), id),

            ("POST", ["interactions", id, token, "callback"]) => self.callback(id, token, request, body),
            ("POST", ["webhooks", app, token]) => self.followup(app, token, body),
            ("GET", ["webhooks", app, token, "messages", id]) => self.get_hooked(app, token, id),
            ("PATCH", ["webhooks", app, token, "messages", id]) => self.edit_hooked(app, token, id, body),
            ("DELETE", ["webhooks", app, token, "messages", id]) => self.delete_hooked(app, token, id),

            ("GET", ["channels", id]) => self.get_channel(id),
            ("PATCH", ["channels", id]) => self.edit_channel(id, json),
            ("DELETE", ["channels", id]) => self.delete_channel_call(id),
            ("GET", ["channels", id, "messages"]) => self.list_messages(id, request),
            ("POST", ["channels", id, "messages"]) => self.create_message(id, body),
            ("POST", ["channels", id, "messages", "bulk-delete"]) => self.bulk_delete(id, json),
            ("GET", ["channels", id, "pins"] | ["channels", id, "messages", "pins"]) => self.list_pins(id, request),
            ("PUT", ["channels", id, "pins", message] | ["channels", id, "messages", "pins", message]) => {
                self.pin(id, message, true)
            }
            ("DELETE", ["channels", id, "pins", message] | ["channels", id, "messages", "pins", message]) => {
                self.pin(id, message, false)
            }
            ("GET", ["channels", id, "messages", message]) => self.get_message(id, message),
            ("PATCH", ["channels", id, "messages", message]) => self.edit_message(id, message, body),
            ("DELETE", ["channels", id, "messages", message]) => self.delete_message(id, message),
            ("POST", ["channels", id, "messages", message, "threads"]) => self.start_thread(id, Some(message), body),
            ("PUT", ["channels", id, "messages", message, "reactions", emoji, "@me"]) => self.react(id, message, emoji),
            ("DELETE", ["channels", id, "messages", message, "reactions", emoji, "@me"]) => self.unreact(id, message, emoji, BOT),
            ("POST", ["channels", id, "typing"]) => self.type_in(id),
            ("POST", ["channels", id, "threads"]) => self.start_thread(id, None, body),
            ("GET", ["channels", id, "thread-members"]) => self.thread_members(id),
            ("PUT", ["channels", id, "thread-members", user]) => self.join_thread(id, user),
            ("DELETE", ["channels", id, "thread-members", user]) => self.leave_thread(id, user),
            ("GET", ["channels", id, "threads", "archived", "public"]) => self.archived_threads(id, request),
            (
                "GET",
                ["channels", id, "threads", "archived", "private"]
                | ["channels", id, "users", "@me", "threads", "archived", "private"],
            ) => {
                self.channel_for(id, 0)?;
                ok(json!({ "threads": [], "members": [], "has_more": false }))
            }

            ("GET", ["guilds", id]) => self.get_guild(id),
            ("GET", ["guilds", id, "channels"]) => self.guild_channels(id),
            ("GET", ["guilds", id, "threads", "active"]) => self.active_threads(id),
            ("GET", ["guilds", id, "members"]) => self.guild_members(id, request),
            ("GET", ["guilds", id, "members", "search"]) => self.search_members(id, request),
            ("GET", ["guilds", id, "members", user]) => self.guild_member(id, user),
            ("GET", ["guilds", id, "roles"]) => self.guild_roles(id),
            _ => {
                let what = format!("{} is not part of the stand-in", request.route);
                self.fault(what.clone());
                Err(Refusal { wanted: true, ..Refusal::http(404, &what) })
            }
        }
    }

    pub fn gateway_url(&self) -> String {
        self.base_url.replacen("http", "ws", 1)
    }

    fn gateway_bot(&self) -> Answer {
        let limit =
            json!({ "total": 1_000, "remaining": self.rules.identifies, "reset_after": 86_400_000_u64, "max_concurrency": 1 });
        ok(json!({ "url": self.gateway_url(), "shards": self.rules.shards, "session_start_limit": limit }))
    }

    fn user_answer(&self, user: &str) -> Answer {
        if self.users.contains_key(user) { ok(self.user_json(user)) } else { Err(super::refusal::UNKNOWN_USER.into()) }
    }
}
