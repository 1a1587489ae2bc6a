//! Things as the API and the gateway show them.
//!
//! Invariant: what a field is when it is empty is what Discord says then, null or absent.

use serde_json::{Value, json};

use super::permissions::{EVERYTHING, bits};
use super::state::{APP, BOT, Channel, File, Guild, Kind, LOADING, Member, Message, Person, Role, State, born, stamp};

impl Person {
    pub fn json(&self) -> Value {
        let mut user = json!({
            "id": self.id, "username": self.name, "discriminator": "0", "global_name": self.display_name, "avatar": null,
            "public_flags": 0, "flags": 0, "banner": null, "accent_color": null, "avatar_decoration_data": null,
            "collectibles": null, "display_name_styles": null, "banner_color": null, "clan": null, "primary_guild": null,
        });
        if self.is_bot {
            user["bot"] = json!(true);
            user["global_name"] = Value::Null;
        }
        user
    }
}

impl Role {
    pub fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "description": null, "permissions": bits(self.permissions), "position": 1,
            "color": 0, "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null }, "hoist": false,
            "managed": false, "mentionable": self.mentionable, "icon": null, "unicode_emoji": null, "flags": 0,
        })
    }
}

impl State {
    pub fn user_json(&self, id: &str) -> Value {
        let nobody = || Person { id: id.into(), name: "deleted_user".into(), ..Person::default() };
        self.users.get(id).cloned().unwrap_or_else(nobody).json()
    }

    /// The account that asks, with what only it sees.
    pub fn me_json(&self) -> Value {
        let mut me = self.user_json(BOT);
        me["mfa_enabled"] = json!(true);
        me["locale"] = json!("en-US");
        me["email"] = Value::Null;
        me["verified"] = json!(true);
        me
    }

    /// Without its user.
    pub fn partial_member(&self, member: &Member) -> Value {
        json!({
            "roles": member.roles, "nick": member.nick, "avatar": null, "banner": null, "joined_at": "2026-01-01T00:00:00.000000+00:00",
            "premium_since": null, "deaf": false, "mute": false, "flags": 0, "pending": false, "communication_disabled_until": null,
            "avatar_decoration_data": null, "collectibles": null,
        })
    }

    pub fn member_json(&self, guild: &Guild, user: &str) -> Option<Value> {
        let mut member = self.partial_member(guild.members.get(user)?);
        member["user"] = self.user_json(user);
        Some(member)
    }

    pub fn thread_metadata(channel: &Channel) -> Value {
        json!({
            "archived": channel.archived, "archive_timestamp": stamp(channel.archived_at), "auto_archive_duration": channel.auto_archive,
            "locked": channel.locked, "create_timestamp": stamp(born(&channel.id)),
        })
    }

    pub fn channel_json(&self, channel: &Channel) -> Value {
        let mut shown =
            json!({ "id": channel.id, "type": channel.kind as u64, "flags": 0, "last_message_id": channel.last_message });
        if channel.kind == Kind::Dm {
            shown["recipients"] = channel.recipients.iter().map(|id| self.user_json(id)).collect();
            return shown;
        }
        shown["guild_id"] = json!(channel.guild);
        shown["name"] = json!(channel.name);
        shown["parent_id"] = json!(channel.parent);
        shown["rate_limit_per_user"] = json!(0);
        if channel.kind.is_thread() {
            shown["owner_id"] = json!(channel.owner);
            shown["thread_metadata"] = Self::thread_metadata(channel);
            shown["message_count"] = json!(channel.message_count);
            shown["total_message_sent"] = json!(channel.message_count);
            shown["member_count"] = json!(channel.members.len().min(50));
            if !channel.tags.is_empty() {
                shown["applied_tags"] = json!(channel.tags);
            }
            if channel.members.contains(BOT) {
                shown["member"] = self.thread_member(channel, BOT);
            }
            return shown;
        }
        shown["position"] = json!(0);
        shown["nsfw"] = json!(false);
        shown["topic"] = json!(channel.topic);
        let overwrite = |o: &super::state::Overwrite| json!({ "id": o.id, "type": u8::from(o.member), "allow": bits(o.allow), "deny": bits(o.deny) });
        shown["permission_overwrites"] = channel.overwrites.iter().map(overwrite).collect();
        if channel.kind == Kind::Forum {
            let tag = |(id, name): &(String, String)| json!({ "id": id, "name": name, "moderated": false, "emoji_id": null, "emoji_name": null });
            shown["available_tags"] = channel.available_tags.iter().map(tag).collect();
            shown["default_reaction_emoji"] = Value::Null;
            shown["default_sort_order"] = Value::Null;
            shown["default_forum_layout"] = json!(0);
            shown["flags"] = json!(if channel.require_tag { 16 } else { 0 });
        }
        shown
    }

    pub fn thread_member(&self, channel: &Channel, user: &str) -> Value {
        json!({ "id": channel.id, "user_id": user, "join_timestamp": stamp(born(&channel.id)), "flags": 1 })
    }

    /// What `GET /guilds/{id}` and events about a guild begin with.
    pub fn guild_json(&self, guild: &Guild) -> Value {
        let shown = json!({
            "id": guild.id, "name": guild.name, "icon": null, "description": null, "home_header": null, "splash": null,
            "discovery_splash": null, "features": [], "banner": null, "owner_id": guild.owner, "application_id": null,
            "region": "deprecated", "afk_channel_id": null, "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0,
            "widget_enabled": false, "widget_channel_id": null, "verification_level": 0, "default_message_notifications": 0,
        });
        let more = json!({
            "mfa_level": 0, "explicit_content_filter": 0, "max_presences": null, "max_members": 500_000,
            "max_stage_video_channel_users": 50, "max_video_channel_users": 25, "vanity_url_code": null, "premium_tier": 0,
            "premium_subscription_count": 0, "preferred_locale": "en-US", "rules_channel_id": null, "safety_alerts_channel_id": null,
            "public_updates_channel_id": null, "premium_progress_bar_enabled": false, "premium_progress_bar_enabled_user_updated_at": null,
            "nsfw": false, "nsfw_level": 0, "incidents_data": null, "hub_type": null, "latest_onboarding_question_id": null,
            "emojis": [], "stickers": [], "inventory_settings": null, "embed_enabled": false, "embed_channel_id": null,
            "roles": guild.roles.values().map(Role::json).collect::<Vec<_>>(),
        });
        join(shown, more)
    }

    /// With all that GUILD_CREATE tells besides.
    pub fn whole_guild(&self, guild: &Guild) -> Value {
        let mut shown = self.guild_json(guild);
        let here = |c: &&Channel| c.guild.as_deref() == Some(guild.id.as_str()) && self.may_see(BOT, c);
        let strip = |c: &Channel| {
            let mut shown = self.channel_json(c);
            if let Some(object) = shown.as_object_mut() {
                object.remove("guild_id");
            }
            shown
        };
        shown["joined_at"] = json!("2026-01-01T00:00:00.000000+00:00");
        shown["large"] = json!(false);
        shown["unavailable"] = json!(false);
        shown["member_count"] = json!(guild.members.len());
        shown["members"] = [BOT].iter().filter_map(|id| self.member_json(guild, id)).collect();
        shown["channels"] = self.channels.values().filter(here).filter(|c| !c.kind.is_thread()).map(strip).collect();
        let open = |c: &&Channel| c.kind.is_thread() && !c.archived;
        shown["threads"] = self.channels.values().filter(here).filter(open).map(|c| self.channel_json(c)).collect();
        for empty in ["voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"] {
            shown[empty] = json!([]);
        }
        shown
    }

    pub fn file_json(&self, file: &File, ephemeral: bool) -> Value {
        let url = format!("{}/attachments/{}/{}/{}?ex=1&is=1&hm=1&", self.base_url, file.channel, file.id, encoded(&file.name));
        let mut shown = json!({
            "id": file.id, "filename": file.name, "size": file.content.len(), "url": url, "proxy_url": url,
            "content_type": mime(&file.name),
        });
        if let Some(description) = &file.description {
            shown["description"] = json!(description);
        }
        if ephemeral {
            shown["ephemeral"] = json!(true);
        }
        shown
    }

    /// A message as the API shows it; without what only events tell.
    pub fn message_json(&self, message: &Message) -> Value {
        let ephemeral = message.only_for.is_some();
        let mut shown = json!({
            "id": message.id, "channel_id": message.channel, "author": self.user_json(&message.author), "type": message.kind,
            "content": message.content, "embeds": received_embeds(&message.embeds), "components": received_components(&message.components),
            "timestamp": stamp(born(&message.id)), "edited_timestamp": message.edited.map(stamp), "flags": message.flags,
            "tts": false, "pinned": message.pinned, "mention_everyone": message.mention_everyone,
            "mention_roles": message.mention_roles,
            "mentions": message.mentions.iter().map(|id| self.user_json(id)).collect::<Vec<_>>(),
            "attachments": message.files.iter().filter_map(|id| self.files.get(id)).map(|f| self.file_json(f, ephemeral)).collect::<Vec<_>>(),
        });
        if message.author == BOT && message.interaction.is_some() {
            shown["application_id"] = json!(APP);
        }
        if let Some(done) = message.interaction.as_ref().and_then(|id| self.interactions.get(id)) {
            // The first response only; a followup of a component says nothing of a command.
            let mut about = json!({
                "id": done.id, "type": done.kind, "user": self.user_json(&done.user), "authorizing_integration_owners": {},
            });
            if done.kind == 2 {
                about["name"] = done.payload["data"]["name"].clone();
                about["command_type"] = done.payload["data"]["type"].clone();
            }
            if done.kind == 3 {
                about["interacted_message_id"] = json!(done.source);
            }
            if done.kind == 5 {
                about["triggering_interaction_metadata"] = json!({
                    "id": done.id, "type": 2, "user": self.user_json(&done.user), "authorizing_integration_owners": {},
                    "name": "command", "command_type": 1,
                });
            }
            shown["interaction_metadata"] = about;
            shown["webhook_id"] = json!(APP);
        }
        if !message.nonce.is_null() {
            shown["nonce"] = message.nonce.clone();
        }
        if let Some(id) = &message.reply_to {
            let guild = self.channels.get(&message.channel).and_then(|c| c.guild.clone());
            let mut reference = json!({ "type": 0, "channel_id": message.channel, "message_id": id });
            if let Some(guild) = guild {
                reference["guild_id"] = json!(guild);
            }
            shown["message_reference"] = reference;
            let referenced = self.message(&message.channel, id).filter(|m| m.reply_to.is_none() || m.id != message.id);
            shown["referenced_message"] = referenced.map_or(Value::Null, |m| {
                let mut inner = self.message_json(m);
                if let Some(object) = inner.as_object_mut() {
                    object.remove("referenced_message");
                }
                inner
            });
        }
        if let Some(thread) = message.thread.as_ref().and_then(|id| self.channels.get(id)) {
            shown["thread"] = self.channel_json(thread);
        }
        if !message.reactions.is_empty() {
            let mut emojis: Vec<&String> = message.reactions.iter().map(|(emoji, _)| emoji).collect();
            emojis.dedup();
            shown["reactions"] = emojis
                .iter()
                .map(|emoji| {
                    let who: Vec<&String> = message.reactions.iter().filter(|(e, _)| e == *emoji).map(|(_, u)| u).collect();
                    json!({
                        "emoji": { "id": null, "name": emoji }, "count": who.len(), "count_details": { "burst": 0, "normal": who.len() },
                        "burst_colors": [], "me_burst": false, "me": who.iter().any(|u| *u == BOT), "burst_me": false, "burst_count": 0,
                    })
                })
                .collect();
        }
        shown
    }

    /// The message of an event.
    pub fn message_event(&self, message: &Message) -> Value {
        let mut shown = self.message_json(message);
        if let Some(guild) = self.guild_of(&message.channel) {
            shown["guild_id"] = json!(guild.id);
            if let Some(member) = guild.members.get(&message.author) {
                shown["member"] = self.partial_member(member);
            }
            for user in shown["mentions"].as_array_mut().into_iter().flatten() {
                if let Some(member) = user["id"].as_str().and_then(|id| guild.members.get(id)) {
                    user["member"] = self.partial_member(member);
                }
            }
        }
        shown["channel_type"] = json!(self.channels.get(&message.channel).map_or(0, |c| c.kind as u64));
        shown
    }

    /// What is left of a message for who may not read contents.
    pub fn without_content(&self, mut shown: Value) -> Value {
        let mentions = |list: &Value| list.as_array().is_some_and(|l| l.iter().any(|u| u["id"] == BOT));
        if shown["author"]["id"] == BOT || shown["guild_id"].is_null() || mentions(&shown["mentions"]) {
            return shown;
        }
        shown["content"] = json!("");
        for key in ["embeds", "attachments", "components"] {
            shown[key] = json!([]);
        }
        if shown["referenced_message"].is_object() {
            let mut inner = shown["referenced_message"].take();
            inner["guild_id"] = shown["guild_id"].clone();
            inner = self.without_content(inner);
            if let Some(object) = inner.as_object_mut() {
                object.remove("guild_id");
            }
            shown["referenced_message"] = inner;
        }
        shown
    }

    pub fn application_json(&self) -> Value {
        let shown = json!({
            "id": APP, "name": "gaggle", "icon": null, "description": "AI coding agents", "type": null, "flags": self.application_flags(),
            "verify_key": super::delivery::public_key(), "bot_public": false, "bot_require_code_grant": false, "summary": "",
            "hook": true, "integration_types_config": {}, "interactions_endpoint_url": null, "tags": [],
            "interactions_event_types": [], "interactions_version": 1, "role_connections_verification_url": null,
            "redirect_uris": [], "rpc_application_state": 0, "storage_release_state": 1, "store_application_state": 1,
        });
        let more = json!({
            "monetization_state": 1, "verification_state": 1, "discoverability_state": 1, "discovery_eligibility_flags": 0,
            "explicit_content_filter": 0, "creator_monetization_state": 1, "internal_guild_restriction": 1,
            "is_monetized": false, "is_verified": false, "is_discoverable": false, "storefront_available": false,
            "monetization_eligibility_flags": 0, "approximate_guild_count": self.guilds.len(), "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0, "event_webhooks_status": 1, "event_webhooks_types": [], "event_webhooks_url": null, "flags_new": self.application_flags().to_string(), "eligible_oauth2_scopes": [],
            "owner": self.user_json(&self.guilds.values().next().map(|g| g.owner.clone()).unwrap_or_default()), "team": null,
            "bot": self.user_json(BOT),
        });
        join(shown, more)
    }

    /// What is granted of the privileged intents, for few guilds.
    pub fn application_flags(&self) -> u64 {
        let granted = [(self.rules.presences, 1 << 13), (self.rules.members, 1 << 15), (self.rules.message_content, 1 << 19)];
        granted.iter().filter(|(granted, _)| *granted).map(|(_, bit)| bit).sum()
    }

    /// A channel as interactions show it.
    pub fn partial_channel(&self, channel: &Channel, user: &str) -> Value {
        let mut shown = self.channel_json(channel);
        let all = if channel.kind == Kind::Dm { EVERYTHING } else { self.permissions(user, channel) };
        shown["permissions"] = json!(bits(all));
        shown
    }

    pub fn is_loading(message: &Message) -> bool {
        message.flags & LOADING != 0
    }
}

/// One object of two.
fn join(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// Embeds as they come back: with their type.
fn received_embeds(embeds: &Value) -> Value {
    let mut embeds = if embeds.is_array() { embeds.clone() } else { json!([]) };
    for embed in embeds.as_array_mut().into_iter().flatten() {
        embed["type"] = json!("rich");
        if let Some(object) = embed.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        for field in embed["fields"].as_array_mut().into_iter().flatten() {
            if field["inline"].is_null() {
                field["inline"] = json!(false);
            }
        }
        if embed["fields"].is_null()
            && let Some(object) = embed.as_object_mut()
        {
            object.remove("fields");
        }
    }
    embeds
}

/// Components as they come back: each with a number.
fn received_components(components: &Value) -> Value {
    fn number(component: &mut Value, next: &mut u64) {
        let Some(object) = component.as_object_mut() else { return };
        object.retain(|_, value| !value.is_null());
        *next += 1;
        object.entry("id").or_insert(json!(*next));
        if object.get("type").and_then(Value::as_u64).is_some_and(|kind| kind == 3 || kind >= 5) {
            object.entry("min_values").or_insert(json!(1));
            object.entry("max_values").or_insert(json!(1));
        }
        for inner in component["components"].as_array_mut().into_iter().flatten() {
            number(inner, next);
        }
        if component["components"].is_null()
            && let Some(object) = component.as_object_mut()
        {
            object.remove("components");
        }
    }
    let mut all = if components.is_array() { components.clone() } else { json!([]) };
    let mut next = 0;
    for component in all.as_array_mut().into_iter().flatten() {
        number(component, &mut next);
    }
    all
}

fn encoded(name: &str) -> String {
    let mut url = reqwest::Url::parse("http://file/").expect("an address");
    url.set_path(name);
    url.path().trim_start_matches('/').to_owned()
}

pub fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "json" => "application/json; charset=utf-8",
        "zip" => "application/zip",
        "bin" => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    }
}
