//! Streamed messages, and what an assistant's thread shows besides: status, title, suggested prompts.
//!
//! Invariant: a message streams until it is stopped, was idle too long or lived too long; nothing brings it back.

use std::time::Instant;

use serde_json::{Value, json};

use super::call::{Answer, Args, Refusal};
use super::chat::Content;
use super::rules::Streaming;
use super::state::{BOT_USER, Kind, Message, State, Stream, TEAM};

impl State {
    fn streaming(&self) -> Result<(), Refusal> {
        match self.rules.streaming {
            Streaming::On => Ok(()),
            Streaming::Unknown => Err(Refusal::wanted("unknown_method")),
            Streaming::Disabled => Err(Refusal::wanted("feature_not_enabled")),
        }
    }

    /// Ends what was idle or open for too long.
    pub fn expire_streams(&mut self) {
        let (idle, life) = (self.rules.stream_idle, self.rules.stream_life);
        for message in self.messages.values_mut().flat_map(|all| all.values_mut()) {
            let Some(stream) = message.stream.as_mut().filter(|s| s.ended.is_none()) else { continue };
            if stream.touched.elapsed() > idle {
                stream.ended = Some("idle");
            } else if stream.started.elapsed() > life {
                stream.ended = Some("too long");
            }
        }
    }

    /// The words of a call, from `markdown_text` or chunks.
    fn words(&self, args: &Args) -> Result<String, Refusal> {
        let mut text = args.text("markdown_text").unwrap_or_default().to_owned();
        if text.chars().count() > self.rules.markdown {
            return Err("msg_too_long".into());
        }
        for chunk in args.get("chunks").as_array().into_iter().flatten() {
            match chunk["type"].as_str() {
                Some("markdown_text") => text += chunk["text"].as_str().ok_or("invalid_chunks")?,
                Some("task_update") => {
                    let (Some(_), Some(title)) = (chunk["id"].as_str(), chunk["title"].as_str()) else {
                        return Err("invalid_chunks".into());
                    };
                    text += &format!("\n[{}] {title}\n", chunk["status"].as_str().unwrap_or("pending"));
                }
                Some("plan_update") => text += &format!("\n{}\n", chunk["title"].as_str().unwrap_or_default()),
                _ => return Err("invalid_chunks".into()),
            }
        }
        Ok(text)
    }

    pub fn start_stream(&mut self, args: &Args) -> Answer {
        self.streaming()?;
        let channel = self.writable(&args.need("channel")?, false)?;
        let Some(root) = args.text("thread_ts") else { return Err("missing_thread_ts".into()) };
        let root = self.message(&channel, root).ok_or("thread_not_found")?;
        let root = root.thread_ts.clone().unwrap_or_else(|| root.ts.clone());
        if self.channels[&channel].kind != Kind::Im {
            if args.text("recipient_user_id").is_none() {
                return Err("missing_recipient_user_id".into());
            }
            if args.text("recipient_team_id").is_none() {
                return Err("missing_recipient_team_id".into());
            }
        }
        let user = args.text("recipient_user_id").unwrap_or(BOT_USER);
        if !self.users.contains_key(user) || args.text("recipient_team_id").is_some_and(|team| team != TEAM) {
            return Err("user_not_found".into());
        }
        let text = self.words(args)?;
        let now = Instant::now();
        let stream = Stream { started: now, touched: now, ended: None, size: text.chars().count(), pieces: 1 };
        let message = Message {
            channel: channel.clone(),
            thread_ts: Some(root),
            user: BOT_USER.into(),
            text,
            markdown: true,
            stream: Some(stream),
            ..Message::default()
        };
        let ts = self.insert(message);
        self.echo_posted(&channel, &ts);
        Ok(json!({ "channel": channel, "ts": ts }))
    }

    /// The message, if it is streaming and has room for these words.
    fn stream(&mut self, args: &Args) -> Result<(String, String, String), Refusal> {
        self.streaming()?;
        let (channel, ts) = (args.need("channel")?, args.need("ts")?);
        self.writable(&channel, false)?;
        let words = self.words(args)?;
        self.expire_streams();
        let most = self.rules.stream_size;
        let message = self.message(&channel, &ts).ok_or("message_not_found")?;
        if message.user != BOT_USER {
            return Err("message_not_owned_by_app".into());
        }
        let Some(stream) = message.stream.as_ref().filter(|s| s.ended.is_none()) else {
            return Err("message_not_in_streaming_state".into());
        };
        if stream.size + words.chars().count() > most {
            return Err("msg_too_long".into());
        }
        Ok((channel, ts, words))
    }

    fn add(&mut self, channel: &str, ts: &str, words: &str) {
        let Some(message) = self.message_mut(channel, ts) else { return };
        message.text += words;
        message.last_change = Some(Instant::now());
        if let Some(stream) = &mut message.stream {
            stream.size += words.chars().count();
            stream.touched = Instant::now();
            stream.pieces += 1;
        }
    }

    pub fn append_stream(&mut self, args: &Args) -> Answer {
        let (channel, ts, words) = self.stream(args)?;
        if words.is_empty() {
            return Err(Refusal::because("invalid_arguments", vec!["[ERROR] missing required field: markdown_text".into()]));
        }
        self.add(&channel, &ts, &words);
        Ok(json!({ "channel": channel, "ts": ts }))
    }

    pub fn stop_stream(&mut self, args: &Args) -> Answer {
        let (channel, ts, words) = self.stream(args)?;
        let blocks = args.get("blocks");
        self.check_blocks(blocks)?;
        let before = self.message(&channel, &ts).map(|m| self.shown(m)).unwrap_or_default();
        self.add(&channel, &ts, &words);
        if let Some(message) = self.message_mut(&channel, &ts) {
            if blocks.is_array() {
                message.blocks = blocks.clone();
            }
            if args.get("metadata").is_object() {
                message.metadata = args.get("metadata").clone();
            }
            if let Some(stream) = &mut message.stream {
                stream.ended = Some("stopped");
            }
        }
        self.echo_changed(&channel, &ts, before);
        let shown = self.message(&channel, &ts).map(|m| self.shown(m));
        Ok(json!({ "channel": channel, "ts": ts, "message": shown }))
    }

    fn assistant_thread(&self, args: &Args) -> Result<(String, String), Refusal> {
        let (channel, thread) = (args.need("channel_id")?, args.need("thread_ts")?);
        let known = self.known(&channel)?;
        if !known.members.contains(BOT_USER) {
            return Err("not_in_channel".into());
        }
        self.message(&channel, &thread).ok_or("invalid_thread_ts")?;
        Ok((channel, thread))
    }

    pub fn set_status(&mut self, args: &Args) -> Answer {
        let key = self.assistant_thread(args)?;
        let Some(status) = args.get("status").as_str() else {
            return Err(Refusal::because("invalid_arguments", vec!["[ERROR] missing required field: status".into()]));
        };
        if args.get("loading_messages").as_array().is_some_and(|list| list.len() > 10) {
            return Err("invalid_arguments".into());
        }
        self.status_log.push((key.0.clone(), key.1.clone(), status.to_owned()));
        if status.is_empty() {
            self.statuses.remove(&key);
        } else {
            self.statuses.insert(key, status.to_owned());
        }
        Ok(json!({}))
    }

    pub fn set_title(&mut self, args: &Args) -> Answer {
        let key = self.assistant_thread(args)?;
        self.only_im(&key.0)?;
        self.titles.insert(key, args.need("title")?);
        Ok(json!({}))
    }

    pub fn set_prompts(&mut self, args: &Args) -> Answer {
        let channel = args.need("channel_id")?;
        self.known(&channel)?;
        self.only_im(&channel)?;
        let prompts = args.get("prompts");
        let whole = |p: &Value| p["title"].as_str().is_some() && p["message"].as_str().is_some();
        if prompts.as_array().is_none_or(|list| list.is_empty() || list.len() > 4 || !list.iter().all(whole)) {
            return Err("invalid_arguments".into());
        }
        let thread = args.text("thread_ts").unwrap_or_default().to_owned();
        self.prompts.insert((channel, thread), prompts.clone());
        Ok(json!({}))
    }

    /// Titles and prompts are for the assistant's side pane.
    fn only_im(&self, channel: &str) -> Result<(), Refusal> {
        if self.channels[channel].kind == Kind::Im { Ok(()) } else { Err("channel_type_not_supported".into()) }
    }

    /// What a `response_url` or an acknowledgement shows.
    pub fn respond(&mut self, hook: &str, body: &Value) -> Result<(), Refusal> {
        let Some(found) = self.hooks.get(hook).cloned() else { return Err("expired_url".into()) };
        let args = Args(body.as_object().cloned().unwrap_or_default());
        let original = found.original.clone();
        if body["delete_original"] == json!(true) {
            let Some(original) = original else { return Ok(()) };
            self.ephemerals.iter_mut().filter(|m| m.ts == original).for_each(|m| m.deleted = true);
            self.remove(&found.channel, &original);
            return Ok(());
        }
        let content: Content = self.content(&args)?;
        if body["replace_original"] == json!(true)
            && let Some(original) = original
        {
            if let Some(message) = self.ephemerals.iter_mut().find(|m| m.ts == original && !m.deleted) {
                message.text = content.text;
                message.blocks = content.blocks;
                message.markdown = content.markdown;
                message.edits += 1;
            } else {
                let with_blocks = content.blocks.is_array();
                self.rewrite(&found.channel, &original, content, with_blocks);
            }
            return Ok(());
        }
        let thread_ts = args.text("thread_ts").map(str::to_owned).or(found.thread_ts);
        let ts = match body["response_type"].as_str() {
            Some("in_channel") => {
                let message = Message {
                    channel: found.channel.clone(),
                    thread_ts,
                    user: BOT_USER.into(),
                    text: content.text,
                    blocks: content.blocks,
                    markdown: content.markdown,
                    ..Message::default()
                };
                let ts = self.insert(message);
                self.echo_posted(&found.channel, &ts);
                ts
            }
            None | Some("ephemeral") => self.whisper(&found.channel, &found.user, thread_ts, content),
            Some(_) => return Err("invalid_payload".into()),
        };
        if let Some(hook) = self.hooks.get_mut(hook).filter(|h| !h.clicked) {
            hook.original = Some(ts);
        }
        Ok(())
    }
}
