//! What people write: which of it is for an agent, what came with it, and what happens to it later.

use futures_util::FutureExt as _;
use serde_json::Value;

use super::Discord;
use super::asked::{Ask, From};
use super::payload::{Attachment as Attached, Message};
use super::place::Place;
use super::rest::{Method, Rank};
use crate::chat::desk::Handed;
use crate::model::{Attachment, Origin};

/// Files of one message, and their bytes together.
const FILES: usize = 10;
const TOGETHER: usize = 20 * 1024 * 1024;
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
/// Messages that were chosen to be asked about, until that is done.
const QUOTES: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It is not for us.
    Nothing,
    Command,
    /// For the session of its thread.
    Thread,
    /// Somebody speaks to us where no session is yet.
    Start,
}

impl Discord {
    /// Takes a message that came. Never waits.
    pub(super) fn message_came(&self, raw: &str) {
        let Ok(message) = serde_json::from_str::<Message>(raw) else {
            metrics::counter!("gaggle_discord_unparsed_total").increment(1);
            return tracing::warn!("a message cannot be understood");
        };
        self.saw(&message);
        if !message.is_said() || message.author.as_ref().is_some_and(|author| author.id == self.bot()) {
            return;
        }
        let discord = self.clone();
        let (lane, raw) = (format!("discord {}", message.channel_id), raw.to_owned());
        // A full lane is a flood in one channel: what finds no room is fetched when it has calmed down.
        let job = async move { discord.take_message(message, raw).await }.boxed();
        if self.lanes().run(&lane, job).is_err() {
            metrics::counter!("gaggle_discord_left_out_total").increment(1);
            self.catch_up_soon();
        }
    }

    /// In the lane of its channel, so that what is kept is in order.
    pub(super) async fn take_message(&self, message: Message, raw: String) {
        let place = self.place(&message.channel_id, message.guild_id.as_deref()).await;
        if self.hears(&message, &place).await == Heard::Nothing {
            return;
        }
        let key = format!("message:{}:{}", message.channel_id, message.id);
        match self.desk().receive(vec![key.clone()], Some(raw)).await {
            Ok(true) => {}
            Ok(false) => return metrics::counter!("gaggle_discord_repeats_total").increment(1),
            Err(error) => {
                let _ = error.told();
                return self.catch_up_soon();
            }
        }
        self.message(message, &key).await;
    }

    async fn hears(&self, message: &Message, place: &Place) -> Heard {
        let said = self.meant(message);
        let spoken_to = place.is_direct() || message.mentions(self.bot());
        if spoken_to && gaggle_commands::is_command(&said) {
            return Heard::Command;
        }
        let listens = spoken_to || self.options().thread_messages == super::ThreadMessages::All;
        if place.thread.is_some() && listens && self.desk().is_bound(&place.id()).await {
            return Heard::Thread;
        }
        if spoken_to { Heard::Start } else { Heard::Nothing }
    }

    /// The words, without the mention of the bot that they begin with; people and channels by readable names.
    fn meant(&self, message: &Message) -> String {
        let mut text = message.content.trim();
        let mentions = [format!("<@{}>", self.bot()), format!("<@!{}>", self.bot())];
        while let Some(rest) = mentions.iter().find_map(|mention| text.strip_prefix(mention.as_str())) {
            text = rest.trim_start_matches([':', ',']).trim_start();
        }
        let mut text = text.to_owned();
        for user in message.mentions.iter().filter(|user| user.id != self.bot()) {
            let is_command = text.starts_with('/');
            let name = if is_command { user.id.clone() } else { user.shown() };
            for mention in [format!("<@{}>", user.id), format!("<@!{}>", user.id)] {
                text = text.replace(&mention, &format!("@{name}"));
            }
        }
        text
    }

    /// Hands a message over that was kept.
    pub(super) async fn message(&self, message: Message, key: &str) {
        let place = self.place(&message.channel_id, message.guild_id.as_deref()).await;
        let heard = match self.hears(&message, &place).await {
            Heard::Nothing => return self.desk().handled(key).await,
            heard => heard,
        };
        let author = message.author.clone().unwrap_or_default();
        let roles = message.member.as_ref().map(|member| member.roles.clone()).unwrap_or_default();
        let actor = self.actor(&author.id, &message.name(), &roles, &place);
        let said = self.meant(&message);
        let origin = Origin { actor, conversation: place.id(), input: Some(key.to_owned()) };
        let mut ask = Ask::new(From::Message(message.id.clone()), &author.id, place.clone());
        ask.opens = heard != Heard::Command;
        if heard == Heard::Start && place.thread.is_none() {
            ask.root = Some(message.id.clone());
        }
        let starts = heard == Heard::Start;
        let input = match heard {
            Heard::Command => Handed::Command(said),
            _ => {
                let (attachments, left_out) = self.attachments(&message.attachments).await;
                let mut text = said;
                for note in left_out {
                    text.push_str(&format!("\n\n({note})"));
                }
                Handed::Message { text: text.trim().to_owned(), attachments, starts }
            }
        };
        if starts && place.thread.is_none() {
            // The thread is opened from this very message.
            return self.begin(origin, input, ask, key).await;
        }
        self.hand_message(origin, input, ask, key).await;
    }

    /// A mention in a channel: its thread is begun before anything is asked there.
    async fn begin(&self, mut origin: Origin, input: Handed, mut ask: Ask, key: &str) {
        let title = match &input {
            Handed::Message { text, .. } => text.clone(),
            _ => String::new(),
        };
        let place = ask.place.clone();
        match self.thread_from(&place, ask.root.as_deref().unwrap_or_default(), &title).await {
            Ok(thread) => {
                origin.conversation = thread.id();
                ask.place = thread;
                // The message itself stands above the thread.
                ask.from = From::Above;
                ask.private = false;
            }
            Err(fault) => {
                tracing::info!(code = fault.code(), "no thread could be begun");
                self.asked().put(key, ask);
                let text = format!(
                    "I cannot begin a thread here (Discord says {}). Give my role `Create Public Threads` and `Send Messages in Threads`, \
                     or ask me in a thread or a direct message.",
                    fault.code().unwrap_or_default()
                );
                self.answer(&origin, crate::model::Reply::refused(text)).await;
                self.asked().forget(key);
                return self.desk().handled(key).await;
            }
        }
        self.hand_message(origin, input, ask, key).await;
    }

    async fn hand_message(&self, origin: Origin, input: Handed, ask: Ask, key: &str) {
        self.asked().put(key, ask);
        let taken = self.desk().take(origin, input, Some(key.to_owned())).await;
        let (discord, key) = (self.clone(), key.to_owned());
        if taken.asks {
            discord.desk().handled(&key).await;
        }
        let is_kept = !taken.turn && !taken.asks;
        // What runs for long must not hold up what is said meanwhile.
        tokio::spawn(async move {
            taken.ended.await;
            if is_kept {
                discord.desk().handled(&key).await;
            }
            discord.asked().forget(&key);
        });
    }

    /// Text files and images within the limits; of the others, a sentence each for the agent to know of.
    async fn attachments(&self, files: &[Attached]) -> (Vec<(Attachment, Vec<u8>)>, Vec<String>) {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        let (most, mut room) = (self.options().file_limit, TOGETHER);
        for (at, file) in files.iter().enumerate() {
            let name = if file.filename.is_empty() { format!("file {}", at + 1) } else { file.filename.clone() };
            if at >= FILES || file.size > most.min(room) as u64 {
                left_out.push(format!("The file {name} came with this message, but it is too large, or one too many."));
                continue;
            }
            match self.rest().download(&file.url, most.min(room)).await {
                Ok(bytes) => {
                    let kind = file.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
                    let mime = if IMAGES.contains(&kind) { kind.to_owned() } else { "text/plain".to_owned() };
                    if !mime.starts_with("image/") && std::str::from_utf8(&bytes).is_err() {
                        left_out.push(format!("The file {name} came with this message, but it is neither text nor an image."));
                        continue;
                    }
                    room -= bytes.len();
                    taken.push((Attachment { name, mime }, bytes.to_vec()));
                }
                Err(fault) => {
                    tracing::info!(outcome = fault.outcome(), "an attached file could not be read");
                    left_out.push(format!("The file {name} came with this message, but it could not be read."));
                }
            }
        }
        (taken, left_out)
    }

    pub(super) fn message_changed(&self, raw: &str) {
        let Ok(message) = serde_json::from_str::<Message>(raw) else { return };
        // Discord says so too when it adds a preview.
        if message.edited_timestamp.is_none() || !message.is_said() {
            return;
        }
        let (discord, lane) = (self.clone(), format!("discord {}", message.channel_id));
        let job = async move {
            let place = discord.place(&message.channel_id, message.guild_id.as_deref()).await;
            let author = message.author.clone().unwrap_or_default();
            let actor = discord.actor(&author.id, &message.name(), &[], &place);
            // A thread that was begun from it is called as it is.
            let place = match place.thread {
                None => Place::new(&place.guild, &place.channel, Some(&message.id)),
                Some(_) => place,
            };
            let origin = Origin { actor, conversation: place.id(), input: None };
            let source = format!("message:{}:{}", message.channel_id, message.id);
            let text = discord.meant(&message);
            discord.desk().take(origin, Handed::Edit { source, text }, None).await.ended.await;
        };
        let _ = self.lanes().run(&lane, job.boxed());
    }

    pub(super) fn message_gone(&self, raw: &str) {
        let Ok(gone) = serde_json::from_str::<super::payload::MessageGone>(raw) else { return };
        let (discord, lane) = (self.clone(), format!("discord {}", gone.channel_id));
        let job = async move {
            for id in gone.id.iter().chain(&gone.ids) {
                let place = discord.place(&gone.channel_id, gone.guild_id.as_deref()).await;
                let origin = Origin { actor: discord.actor("", "", &[], &place), conversation: place.id(), input: None };
                let source = format!("message:{}:{id}", gone.channel_id);
                discord.desk().take(origin, Handed::Withdraw { source }, None).await.ended.await;
            }
        };
        let _ = self.lanes().run(&lane, job.boxed());
    }

    /// Remembers what a message says that is to be asked about.
    pub(super) fn quote(&self, about: &str, name: &str, content: &str) {
        let mut quotes = super::locked(self.quotes());
        if quotes.len() >= QUOTES {
            quotes.clear();
        }
        quotes.insert(about.to_owned(), quoted(name, content));
    }

    /// The message, as it is put below a question.
    pub(super) async fn quoted(&self, about: &str) -> Option<String> {
        if let Some(known) = super::locked(self.quotes()).remove(about) {
            return Some(known);
        }
        let (channel, message) = about.split_once('/')?;
        let found: Value =
            self.call(Method::GET, format!("/channels/{channel}/messages/{message}"), None, Rank::Reply).await.ok()?;
        let message: Message = serde_json::from_value(found).ok()?;
        Some(quoted(&message.name(), &message.content))
    }
}

fn quoted(name: &str, content: &str) -> String {
    let lines: Vec<String> = content.lines().map(|line| format!("> {line}")).collect();
    format!("{name} wrote:\n{}", lines.join("\n"))
}
