//! Threads: how they are begun, named and opened again, and what Discord tells of channels.

use serde_json::json;

use super::Discord;
use super::asked::State;
use super::payload::{Channel, Guild};
use super::place::Place;
use super::render::{self, Message, parts};
use super::rest::{Fault, Method, Rank};
use crate::error::{Result, refused};
use crate::model::{ConversationId, Origin};

/// Characters of a thread's name.
const NAME: usize = 100;
/// Minutes without a message until Discord puts a thread away: a week.
const ARCHIVE: u32 = 10_080;

pub(super) fn title(message: &str) -> String {
    let name = parts::label(message, NAME);
    if name.is_empty() { "A question".to_owned() } else { name }
}

impl Discord {
    /// Begins a thread from a message.
    pub(super) async fn thread_from(&self, place: &Place, message: &str, question: &str) -> std::result::Result<Place, Fault> {
        let body = json!({ "name": title(question), "auto_archive_duration": ARCHIVE });
        let path = format!("/channels/{}/messages/{message}/threads", place.channel);
        let made = self.call(Method::POST, path, Some(&body), Rank::Reply).await;
        let id = match made {
            Ok(made) => made["id"].as_str().unwrap_or(message).to_owned(),
            // Its id is the message's.
            Err(fault) if fault.is_thread_there() => message.to_owned(),
            Err(fault) => return Err(fault),
        };
        let thread = Place::new(&place.guild, &place.channel, Some(&id));
        let known = Channel {
            id,
            kind: 11,
            parent_id: Some(place.channel.clone()),
            owner_id: Some(self.bot().to_owned()),
            name: Some(title(question)),
            ..Channel::default()
        };
        self.channels().learn(&known, Some(&place.guild));
        Ok(thread)
    }

    pub(super) async fn thread_for(&self, to: &Origin, message: &str, free: bool) -> Result<Option<ConversationId>> {
        let Some(place) = Place::parse(&to.conversation) else { return Ok(None) };
        let ask = to.input.as_ref().and_then(|input| self.asked().get(input));
        // Whoever wrote a message sees their words already.
        let is_message = match &ask {
            Some(ask) => ask.lock().await.hook.is_none(),
            None => true,
        };
        let asks = format!("**{}** asks:", super::markdown::literal(&to.actor.name));
        let quoted: Vec<String> = render::pieces(message);
        if place.is_direct() || (place.thread.is_some() && free) {
            if let (Some(ask), false) = (&ask, is_message) {
                self.echo(ask, &asks, &quoted).await;
            }
            return Ok(Some(to.conversation.clone()));
        }
        // Below a thread there are none.
        let channel = Place::new(&place.guild, &place.channel, None);
        let root = match &ask {
            Some(ask) => ask.lock().await.root.clone().filter(|_| place.thread.is_none()),
            None => None,
        };
        let (root, rest) = match root {
            Some(root) => {
                if let Some(ask) = &ask {
                    let mut held = ask.lock().await;
                    held.private = true;
                    if !held.is_told() {
                        let done = Message::text("A thread is begun below the message.");
                        self.say(&mut held, true, &done).await;
                    }
                }
                (Some(root), quoted.as_slice())
            }
            None => {
                let first = quoted.first().map(|first| quote(first)).unwrap_or_default();
                let fits = asks.len() + first.encode_utf16().count() < render::MESSAGE;
                let text = if fits { format!("{asks}\n{first}") } else { asks.clone() };
                let rest = if fits { quoted.get(1..).unwrap_or_default() } else { quoted.as_slice() };
                (self.root(&ask, &channel, &Message::text(text)).await, rest)
            }
        };
        let Some(root) = root else {
            return refused(format!(
                "I cannot write in <#{}>, or begin a thread there. Give my role `Send Messages` and `Create Public Threads`, or write to me \
                 directly, then ask again.",
                place.channel
            ));
        };
        let thread = match self.thread_from(&channel, &root, message).await {
            Ok(thread) => thread,
            Err(fault) => {
                return refused(format!(
                    "The thread could not be begun: Discord says {}. Nothing was asked; give my role `Create Public Threads` and try again.",
                    fault.code().map_or("nothing".to_owned(), |code| code.to_string())
                ));
            }
        };
        for piece in rest {
            self.say_in(thread.written(), &Message::text(quote(piece))).await;
        }
        Ok(Some(thread.id()))
    }

    /// The question, as the answer to its command where it was asked.
    pub(super) async fn echo(&self, ask: &tokio::sync::Mutex<super::asked::Ask>, asks: &str, quoted: &[String]) {
        let mut held = ask.lock().await;
        if held.is_told() {
            return;
        }
        for (at, piece) in quoted.iter().enumerate() {
            let text = if at == 0 { format!("{asks}\n{}", quote(piece)) } else { quote(piece) };
            let parts = render::pieces(&text);
            for part in parts {
                self.say(&mut held, false, &Message::text(part)).await;
            }
        }
    }

    /// Posts the message from which a thread is begun, and says which it is.
    async fn root(
        &self,
        ask: &Option<std::sync::Arc<tokio::sync::Mutex<super::asked::Ask>>>,
        channel: &Place,
        message: &Message,
    ) -> Option<String> {
        if let Some(ask) = ask {
            let mut held = ask.lock().await;
            let here = held.place.channel == channel.channel && held.place.thread.is_none();
            if here && held.hook.is_some() {
                held.private = false;
                let was_private = held.hook.as_ref().is_some_and(|hook| hook.state == State::Deferred { private: true });
                if !was_private {
                    if !held.is_told() {
                        self.say(&mut held, false, message).await;
                    }
                    let hook = held.hook.as_ref()?;
                    if let Ok(Some(said)) = self.original(hook).await {
                        return said["id"].as_str().map(str::to_owned);
                    }
                    return None;
                }
            } else if held.hook.is_some() {
                let text = format!("The thread is begun in <#{}>.", channel.channel);
                self.say(&mut held, true, &Message::text(text)).await;
            }
        }
        let sent = self.post(&channel.channel, message.body(), &message.files, Rank::Reply).await.ok()?;
        sent["id"].as_str().map(str::to_owned)
    }

    async fn say_in(&self, channel: &str, message: &Message) {
        if let Err(fault) = self.post(channel, message.body(), &message.files, Rank::Reply).await {
            tracing::info!(code = fault.code(), "a part of a question could not be shown");
        }
    }

    /// Opens a thread again that Discord put away. Whoever locked it may not want that.
    pub(super) async fn unarchive(&self, thread: &str) -> std::result::Result<(), Fault> {
        let body = json!({ "archived": false });
        self.call(Method::PATCH, format!("/channels/{thread}"), Some(&body), Rank::Reply).await.map(drop)
    }

    pub(super) fn guild_came(&self, raw: &str) {
        let Ok(guild) = serde_json::from_str::<Guild>(raw) else { return };
        let id = if guild.id.is_empty() { guild.guild_id.clone() } else { Some(guild.id.clone()) };
        for channel in guild.channels.iter().chain(&guild.threads) {
            self.channels().learn(channel, id.as_deref());
        }
    }

    pub(super) fn channel_came(&self, raw: &str) {
        if let Ok(channel) = serde_json::from_str::<Channel>(raw) {
            self.channels().learn(&channel, None);
        }
    }

    pub(super) fn channel_gone(&self, raw: &str) {
        if let Ok(channel) = serde_json::from_str::<Channel>(raw) {
            self.channels().forget(&channel.id);
        }
    }
}

fn quote(text: &str) -> String {
    text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}
