//! Conversations, people, user groups, the team: what the app reads.
//!
//! Absence: what is written to channels is in `chat`.

use serde_json::{Value, json};

use super::call::{Answer, Args, Refusal, kind_scope};
use super::state::{APP, BOT, BOT_USER, Channel, Group, Kind, Message, Person, State, TEAM};

impl State {
    pub fn team_info(&self) -> Answer {
        let team = json!({ "id": TEAM, "name": "Stand-in", "domain": "standin", "email_domain": "", "url": format!("{}/", self.base()) });
        Ok(json!({ "team": team }))
    }

    pub fn auth_test(&self, app: bool) -> Answer {
        if app {
            return Ok(json!({ "app_name": "gaggle", "app_id": APP }));
        }
        Ok(json!({
            "url": format!("{}/", self.base()), "team": "Stand-in", "user": "gaggle", "team_id": TEAM, "user_id": BOT_USER,
            "bot_id": BOT, "is_enterprise_install": false,
        }))
    }

    pub fn bot_info(&self, args: &Args) -> Answer {
        if args.text("bot").is_some_and(|bot| bot != BOT) {
            return Err("bot_not_found".into());
        }
        let icons = json!({ "image_36": "https://a.slack-edge.com/36.png", "image_48": "", "image_72": "" });
        let bot = json!({ "id": BOT, "deleted": false, "name": "gaggle", "updated": 1_700_000_000, "app_id": APP, "user_id": BOT_USER, "icons": icons });
        Ok(json!({ "bot": bot }))
    }

    pub fn person(&self, person: &Person) -> Value {
        json!({
            "id": person.id, "team_id": TEAM, "name": person.name, "deleted": person.deleted, "color": "9f69e7",
            "real_name": person.real_name, "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
            "is_admin": false, "is_owner": false, "is_restricted": false, "is_ultra_restricted": false, "is_bot": person.is_bot,
            "is_app_user": false, "updated": 1_700_000_000,
            "profile": {
                "real_name": person.real_name, "real_name_normalized": person.real_name, "display_name": person.display_name,
                "display_name_normalized": person.display_name, "status_text": "", "status_emoji": "", "title": "", "team": TEAM,
                "image_48": "https://a.slack-edge.com/48.png",
            },
        })
    }

    pub fn user_info(&self, args: &Args) -> Answer {
        let person = self.users.get(&args.need("user")?).ok_or("user_not_found")?;
        Ok(json!({ "user": self.person(person) }))
    }

    pub fn user_list(&self, args: &Args) -> Answer {
        let all: Vec<Value> = self.users.values().map(|p| self.person(p)).collect();
        let (page, next) = paged(all, args, 200)?;
        Ok(json!({ "members": page, "cache_ts": 1_700_000_000, "response_metadata": { "next_cursor": next } }))
    }

    pub fn channel(&self, channel: &Channel) -> Value {
        let mut shown = json!({
            "id": channel.id, "created": 1_700_000_000, "is_archived": channel.archived, "is_im": channel.kind == Kind::Im,
            "is_channel": channel.kind == Kind::Public, "is_group": channel.kind == Kind::Private, "is_mpim": false,
            "is_private": channel.kind != Kind::Public, "is_org_shared": false, "is_ext_shared": false, "is_shared": false,
            "context_team_id": TEAM, "updated": 1_700_000_000,
        });
        if channel.kind == Kind::Im {
            let other = channel.members.iter().find(|m| *m != BOT_USER);
            shown["user"] = json!(other);
            shown["is_user_deleted"] = json!(other.and_then(|o| self.users.get(o)).is_some_and(|p| p.deleted));
        } else {
            let member = channel.members.contains(BOT_USER);
            let text = json!({ "value": "", "creator": "", "last_set": 0 });
            let more = json!({
                "name": channel.name, "name_normalized": channel.name, "is_member": member, "is_general": false, "creator": "U0ADMIN",
                "topic": text, "purpose": text, "previous_names": [], "num_members": channel.members.len(),
            });
            if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
                shown.extend(more);
            }
        }
        shown
    }

    pub fn channel_info(&self, args: &Args) -> Answer {
        let channel = self.known(&args.need("channel")?)?;
        Ok(json!({ "channel": self.channel(channel) }))
    }

    pub fn channel_members(&self, args: &Args) -> Answer {
        let channel = self.known(&args.need("channel")?)?;
        let (page, next) = paged(channel.members.iter().cloned().collect(), args, 100)?;
        Ok(json!({ "members": page, "response_metadata": { "next_cursor": next } }))
    }

    pub fn user_channels(&self, args: &Args) -> Answer {
        let user = args.text("user").unwrap_or(BOT_USER).to_owned();
        let types = args.text("types").unwrap_or("public_channel").to_owned();
        for kind in types.split(',').map(str::trim) {
            let scope = match kind {
                "public_channel" => kind_scope(Kind::Public),
                "private_channel" => kind_scope(Kind::Private),
                "im" => kind_scope(Kind::Im),
                "mpim" => "mpim",
                _ => return Err("invalid_types".into()),
            };
            self.need_scope(&format!("{scope}:read"))?;
        }
        let wanted = |c: &&Channel| {
            let kind = match c.kind {
                Kind::Public => "public_channel",
                Kind::Private => "private_channel",
                Kind::Im => "im",
            };
            types.split(',').any(|t| t.trim() == kind)
                && c.members.contains(&user)
                && !(c.archived && args.flag("exclude_archived"))
        };
        let all: Vec<Value> = self.channels.values().filter(wanted).map(|c| self.channel(c)).collect();
        let (page, next) = paged(all, args, 100)?;
        Ok(json!({ "channels": page, "response_metadata": { "next_cursor": next } }))
    }

    pub fn open_im(&mut self, args: &Args) -> Answer {
        let users = args.need("users")?;
        if users.contains(',') {
            return Err("method_not_supported_for_channel_type".into());
        }
        match self.users.get(&users) {
            None => return Err("user_not_found".into()),
            Some(person) if person.deleted => return Err(Refusal::wanted("user_disabled")),
            Some(person) if person.is_bot => return Err("cannot_dm_bot".into()),
            Some(_) => {}
        }
        let id = self.im(&users);
        Ok(json!({ "channel": { "id": id } }))
    }

    pub fn join(&mut self, args: &Args) -> Answer {
        let id = args.need("channel")?;
        let channel = self.known(&id)?;
        if channel.kind != Kind::Public {
            return Err("method_not_supported_for_channel_type".into());
        }
        if channel.archived {
            return Err("is_archived".into());
        }
        let channel = self.channels.get_mut(&id).ok_or("channel_not_found")?;
        channel.members.insert(BOT_USER.into());
        let channel = channel.clone();
        Ok(json!({ "channel": self.channel(&channel) }))
    }

    fn readable(&self, id: &str) -> Result<(), Refusal> {
        let channel = self.known(id)?;
        if channel.members.contains(BOT_USER) { Ok(()) } else { Err("not_in_channel".into()) }
    }

    /// The messages of a channel, latest first, without the replies of threads.
    pub fn history(&self, args: &Args) -> Answer {
        let channel = args.need("channel")?;
        self.readable(&channel)?;
        let within = within(args)?;
        let all = self.messages.get(&channel).into_iter().flat_map(|all| all.values().rev());
        let top = |m: &&Message| !m.deleted && (m.thread_ts.is_none() || m.subtype.as_deref() == Some("thread_broadcast"));
        let found: Vec<Value> = all.filter(top).filter(|m| within(&m.ts)).map(|m| self.shown(m)).collect();
        self.page_of_messages(found, args, 100)
    }

    /// A thread in order, its root first on every page.
    pub fn replies(&self, args: &Args) -> Answer {
        let (channel, root) = (args.need("channel")?, args.need("ts")?);
        self.readable(&channel)?;
        let message = self.message(&channel, &root).ok_or("thread_not_found")?;
        let root = message.thread_ts.clone().unwrap_or(root);
        let within = within(args)?;
        let thread = self.thread(&channel, &root);
        if !thread.iter().any(|m| m.ts == root) {
            return Err("thread_not_found".into());
        }
        let found = thread.iter().filter(|m| m.ts == root || within(&m.ts)).map(|m| self.shown(m)).collect();
        self.page_of_messages(found, args, 1_000)
    }

    fn page_of_messages(&self, found: Vec<Value>, args: &Args, default: usize) -> Answer {
        let (page, next) = paged(found, args, default)?;
        let more = !next.is_empty();
        let mut body = json!({ "messages": page, "has_more": more, "pin_count": 0 });
        if more {
            body["response_metadata"] = json!({ "next_cursor": next });
        }
        Ok(body)
    }

    fn group(&self, group: &Group) -> Value {
        json!({
            "id": group.id, "team_id": TEAM, "is_usergroup": true, "is_subteam": true, "name": group.handle, "description": "",
            "handle": group.handle, "is_external": false, "date_create": 1_700_000_000, "date_update": 1_700_000_000,
            "date_delete": i32::from(group.disabled), "auto_type": null, "created_by": "U0ADMIN", "updated_by": "U0ADMIN",
            "deleted_by": null, "prefs": { "channels": [], "groups": [] }, "user_count": group.users.len(),
        })
    }

    pub fn group_list(&self, args: &Args) -> Answer {
        let shown = |g: &Group| {
            let mut shown = self.group(g);
            if args.flag("include_users") {
                shown["users"] = json!(g.users);
            }
            shown
        };
        let all: Vec<Value> = self.groups.values().filter(|g| !g.disabled || args.flag("include_disabled")).map(shown).collect();
        Ok(json!({ "usergroups": all }))
    }

    pub fn group_users(&self, args: &Args) -> Answer {
        let group = self.groups.get(&args.need("usergroup")?).ok_or("no_such_subteam")?;
        Ok(json!({ "users": group.users }))
    }
}

/// Whether a stamp lies between `oldest` and `latest`.
fn within(args: &Args) -> Result<impl Fn(&str) -> bool, Refusal> {
    let stamp = |key: &str, default: &str| match args.text(key) {
        // A stamp may come as a JSON number of seconds.
        None => Ok(default.to_owned()),
        Some(ts) if ts == "0" || ts.chars().all(|c| c.is_ascii_digit() || c == '.') => Ok(full(ts)),
        Some(_) => Err(Refusal::from(if key == "oldest" { "invalid_ts_oldest" } else { "invalid_ts_latest" })),
    };
    let (oldest, latest) = (stamp("oldest", "")?, stamp("latest", "9999999999.999999")?);
    let inclusive = args.flag("inclusive");
    Ok(move |ts: &str| {
        let (oldest, latest) = (oldest.as_str(), latest.as_str());
        if inclusive { ts >= oldest && ts <= latest } else { ts > oldest && ts < latest }
    })
}

/// Ten digits, a point, six digits: so that stamps compare as text.
fn full(ts: &str) -> String {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, ""));
    format!("{seconds:0>10}.{micros:0<6}")
}

/// The page that `cursor` and `limit` name, and the next cursor.
fn paged<T>(all: Vec<T>, args: &Args, default: usize) -> Result<(Vec<T>, String), Refusal> {
    let limit = args.number("limit", default)?;
    if limit == 0 || limit > 1_000 {
        return Err("invalid_limit".into());
    }
    let from = match args.text("cursor") {
        None => 0,
        Some(cursor) => cursor.strip_prefix("page:").and_then(|n| n.parse::<usize>().ok()).ok_or("invalid_cursor")?,
    };
    let next = if all.len() > from + limit { format!("page:{}", from + limit) } else { String::new() };
    Ok((all.into_iter().skip(from).take(limit).collect(), next))
}
