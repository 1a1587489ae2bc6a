//! `chat.*` without streams: posting, ephemeral messages, edits, deletions.
//!
//! Invariant: whatever becomes visible has passed [`State::content`] first.

use serde_json::{Value, json};

use super::call::{Answer, Args, Refusal, kind_scope};
use super::limits::{Check, Place, characters};
use super::state::{BOT_USER, Channel, Kind, Message, State};

/// What a message shows, checked.
#[derive(Debug, Default, Clone)]
pub struct Content {
    pub text: String,
    pub blocks: Value,
    pub metadata: Value,
    pub markdown: bool,
}

impl State {
    /// The channel, if the bot may know of it.
    pub fn known(&self, id: &str) -> Result<&Channel, Refusal> {
        let channel = self.channels.get(id).ok_or("channel_not_found")?;
        if channel.kind != Kind::Public && !channel.members.contains(BOT_USER) {
            return Err("channel_not_found".into());
        }
        Ok(channel)
    }

    /// The channel, if the bot may write there. A user's id stands for the direct conversation.
    pub fn writable(&mut self, id: &str, public: bool) -> Result<String, Refusal> {
        let id = if self.users.contains_key(id) { self.im(id) } else { id.to_owned() };
        let private_foreign = self.channels.get(&id).is_some_and(|c| c.kind == Kind::Private && !c.members.contains(BOT_USER));
        if private_foreign {
            return Err("not_in_channel".into());
        }
        let open = public && self.scopes.contains("chat:write.public");
        let channel = self.known(&id)?;
        let welcome = channel.members.contains(BOT_USER) || (open && channel.kind == Kind::Public);
        if !welcome {
            return Err("not_in_channel".into());
        }
        if channel.archived {
            return Err("is_archived".into());
        }
        if channel.kind == Kind::Im && channel.members.iter().any(|m| self.users.get(m).is_some_and(|u| u.deleted)) {
            return Err(Refusal::wanted("cannot_dm_user"));
        }
        Ok(id)
    }

    pub fn check_blocks(&self, blocks: &Value) -> Result<(), Refusal> {
        if blocks.as_array().is_some_and(|list| list.len() > self.rules.blocks) || characters(blocks) > self.rules.blocks_text {
            return Err("msg_blocks_too_long".into());
        }
        let mut check = Check::new(&self.rules, Place::Message);
        check.blocks(blocks, "/blocks");
        if check.wrong.is_empty() { Ok(()) } else { Err(Refusal::because("invalid_blocks", check.wrong)) }
    }

    pub fn content(&self, args: &Args) -> Result<Content, Refusal> {
        let blocks = args.get("blocks").clone();
        let metadata = args.get("metadata").clone();
        if let Some(markdown) = args.text("markdown_text") {
            if args.text("text").is_some() || blocks.is_array() {
                return Err("markdown_text_conflict".into());
            }
            if markdown.chars().count() > self.rules.markdown {
                return Err("msg_too_long".into());
            }
            return Ok(Content { text: markdown.into(), blocks: Value::Null, metadata, markdown: true });
        }
        let text = args.text("text").unwrap_or_default();
        if text.is_empty() && blocks.as_array().is_none_or(Vec::is_empty) && args.get("attachments").is_null() {
            return Err("no_text".into());
        }
        if text.chars().count() > self.rules.text {
            return Err("msg_too_long".into());
        }
        self.check_blocks(&blocks)?;
        Ok(Content { text: text.into(), blocks: self.with_ids(blocks), metadata, markdown: false })
    }

    /// Slack names the blocks and actions that the app did not name.
    fn with_ids(&self, mut blocks: Value) -> Value {
        for (index, block) in blocks.as_array_mut().into_iter().flatten().enumerate() {
            if block["block_id"].is_null() {
                block["block_id"] = json!(format!("b{index}"));
            }
            for (at, element) in block["elements"].as_array_mut().into_iter().flatten().enumerate() {
                if element["type"] == "button" && element["action_id"].is_null() {
                    element["action_id"] = json!(format!("a{at}"));
                }
            }
        }
        blocks
    }

    /// The root of the thread to write into.
    fn root(&self, channel: &str, args: &Args) -> Result<Option<String>, Refusal> {
        let Some(root) = args.text("thread_ts") else { return Ok(None) };
        let Some(message) = self.message(channel, root) else { return Err("thread_not_found".into()) };
        Ok(Some(message.thread_ts.clone().unwrap_or_else(|| root.to_owned())))
    }

    pub fn post_message(&mut self, args: &Args) -> Answer {
        let channel = self.writable(&args.need("channel")?, true)?;
        let content = self.content(args)?;
        let thread_ts = self.root(&channel, args)?;
        let message = Message {
            channel: channel.clone(),
            thread_ts,
            user: BOT_USER.into(),
            text: content.text,
            blocks: content.blocks,
            metadata: content.metadata,
            markdown: content.markdown,
            ..Message::default()
        };
        let ts = self.insert(message);
        self.echo_posted(&channel, &ts);
        let shown = self.message(&channel, &ts).map(|m| self.shown(m));
        Ok(json!({ "channel": channel, "ts": ts, "message": shown }))
    }

    pub fn post_ephemeral(&mut self, args: &Args) -> Answer {
        let channel = self.writable(&args.need("channel")?, true)?;
        let user = args.need("user")?;
        if !self.channels[&channel].members.contains(&user) {
            return Err("user_not_in_channel".into());
        }
        let content = self.content(args)?;
        let thread_ts = self.root(&channel, args)?;
        if let Some(root) = thread_ts.as_ref().filter(|root| self.thread(&channel, root).len() < 2) {
            self.fault(format!("chat.postEphemeral in the thread {root}, which has no reply yet: Slack shows it to nobody"));
        }
        let ts = self.whisper(&channel, &user, thread_ts, content);
        Ok(json!({ "message_ts": ts }))
    }

    pub fn whisper(&mut self, channel: &str, user: &str, thread_ts: Option<String>, content: Content) -> String {
        let ts = self.ts();
        self.ephemerals.push(Message {
            channel: channel.into(),
            ts: ts.clone(),
            thread_ts,
            user: BOT_USER.into(),
            text: content.text,
            blocks: content.blocks,
            markdown: content.markdown,
            only_for: Some(user.into()),
            ..Message::default()
        });
        ts
    }

    pub fn update(&mut self, args: &Args) -> Answer {
        let channel = self.writable(&args.need("channel")?, false)?;
        let ts = args.need("ts")?;
        if args.text("text").is_some_and(|text| text.len() > self.rules.update_bytes) {
            return Err("msg_too_long".into());
        }
        self.expire_streams();
        let message = self.message(&channel, &ts).ok_or("message_not_found")?;
        if message.user != BOT_USER {
            return Err("cant_update_message".into());
        }
        if message.stream.as_ref().is_some_and(|s| s.ended.is_none()) {
            return Err("streaming_state_conflict".into());
        }
        let content = self.content(args)?;
        self.rewrite(&channel, &ts, content, args.get("blocks").is_array());
        let text = self.message(&channel, &ts).map(|m| m.text.clone());
        Ok(json!({ "channel": channel, "ts": ts, "text": text, "message": self.message(&channel, &ts).map(|m| self.shown(m)) }))
    }

    /// Puts other content into a message of the bot. Text without blocks takes the blocks away, blocks without text keep the text.
    pub fn rewrite(&mut self, channel: &str, ts: &str, content: Content, with_blocks: bool) {
        let before = self.message(channel, ts).map(|m| self.shown(m)).unwrap_or_default();
        let edited = self.ts();
        if let Some(message) = self.message_mut(channel, ts) {
            message.blocks = if with_blocks { content.blocks } else { Value::Null };
            if !content.text.is_empty() || !with_blocks {
                message.text = content.text;
            }
            message.markdown = content.markdown;
            if !content.metadata.is_null() {
                message.metadata = content.metadata;
            }
            message.edited = Some(edited);
            message.edits += 1;
            message.last_change = Some(std::time::Instant::now());
        }
        self.echo_changed(channel, ts, before);
    }

    pub fn delete(&mut self, args: &Args) -> Answer {
        let channel = args.need("channel")?;
        let ts = args.need("ts")?;
        self.known(&channel)?;
        let message = self.message(&channel, &ts).ok_or("message_not_found")?;
        if message.user != BOT_USER {
            return Err("cant_delete_message".into());
        }
        self.remove(&channel, &ts);
        Ok(json!({ "channel": channel, "ts": ts }))
    }

    pub fn remove(&mut self, channel: &str, ts: &str) {
        let Some(before) = self.take_away(channel, ts) else { return };
        self.echo_deleted(channel, ts, before);
    }

    /// A person deletes: always told, whatever is told of what the bot does itself.
    pub fn erase(&mut self, channel: &str, ts: &str) {
        let Some(before) = self.take_away(channel, ts) else { return };
        self.tell_deleted(channel, ts, before);
    }

    fn take_away(&mut self, channel: &str, ts: &str) -> Option<Value> {
        let before = self.message(channel, ts).map(|m| self.shown(m))?;
        self.message_mut(channel, ts)?.deleted = true;
        Some(before)
    }

    pub fn permalink(&self, args: &Args) -> Answer {
        let (channel, ts) = (args.need("channel")?, args.need("message_ts")?);
        self.known(&channel)?;
        self.message(&channel, &ts).ok_or("message_not_found")?;
        Ok(json!({ "channel": channel, "permalink": format!("{}/archives/{channel}/p{}", self.base(), ts.replace('.', "")) }))
    }

    pub fn react(&mut self, args: &Args) -> Answer {
        let (channel, ts, name) = (args.need("channel")?, args.need("timestamp")?, args.need("name")?);
        self.known(&channel)?;
        self.message(&channel, &ts).ok_or("message_not_found")?;
        let reaction = (channel, ts, name);
        if self.reactions.contains(&reaction) {
            return Err("already_reacted".into());
        }
        self.reactions.push(reaction);
        Ok(json!({}))
    }

    /// The scope that a method wants for this kind of channel: `*` is the kind.
    pub fn channel_scope(&self, scope: &str, args: &Args) -> Result<(), Refusal> {
        let Some(right) = scope.strip_prefix("*:") else { return self.need_scope(scope) };
        let channel = self.known(&args.need("channel")?)?;
        self.need_scope(&format!("{}:{right}", kind_scope(channel.kind)))
    }
}
