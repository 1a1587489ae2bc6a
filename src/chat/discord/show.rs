//! Shows turns in their threads: the answer as messages that are edited while it grows, approvals with buttons.
//!
//! Invariants: a turn's text is shown whole, in order and once, whatever fails in between; its last text passes before anybody's
//! other writes; how far it was shown is durable, so that a later program ends what this one began.

mod approvals;
mod posts;

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Discord;
use super::payload::Message;
use super::place::Place;
use super::render;
use super::rest::{Fault, Method, Rank};
use crate::chat::LiveTurn;
use crate::chat::draft::Kept;
use crate::model::{Turn, TurnId};

/// How often Discord is tried again when it was away for minutes, and how long after.
const ROUNDS: u32 = 30;
const LULL: Duration = Duration::from_secs(30);
/// Discord shows that somebody is typing for ten seconds.
const TYPING: Duration = Duration::from_secs(8);

/// A turn on its way into its thread.
struct Show {
    discord: Discord,
    live: LiveTurn,
    turn: TurnId,
    /// The thread, which is a channel to Discord.
    channel: String,
    asker: String,
    kept: Kept,
}

/// Why nothing more can be shown.
#[derive(Debug)]
enum Lost {
    /// Nothing can be written there any more.
    Gone(Fault),
    /// Gaggle ends, or Discord cannot be reached: a later program goes on.
    Later,
}

/// Shows a turn to its last state. Returns when that is shown, or cannot be.
pub async fn turn(discord: Discord, live: LiveTurn) {
    let (id, origin) = live.read(|t| (t.id, t.origin.clone()));
    let Some(place) = Place::parse(&origin.conversation) else { return };
    // Only a turn that came by a message or command of Discord's has one; without it, it was shown to its end.
    let Some(before) = discord.desk().draft(id).await else { return };
    let resumed = origin.input.is_none() || !before.is_empty();
    let kept = Kept::new(id, discord.desk(), discord.0.claims.clone(), &before);
    let channel = place.written().to_owned();
    let _stage = discord.stage(&channel).await;
    let show = Show { discord: discord.clone(), live, turn: id, channel, asker: origin.actor.id.clone(), kept };
    if resumed {
        show.find().await;
    }
    match show.run().await {
        Ok(()) => show.kept.drop().await,
        Err(Lost::Later) => {}
        Err(Lost::Gone(fault)) => {
            tracing::info!(turn = %id, code = fault.code(), "a turn's thread is gone");
            metrics::counter!("gaggle_discord_threads_gone_total").increment(1);
            show.tell_elsewhere().await;
            show.kept.drop().await;
        }
    }
}

impl Show {
    async fn run(&self) -> Result<(), Lost> {
        let text = self.text();
        let others = async { tokio::join!(approvals::show(self), self.typing()) };
        tokio::pin!(text, others);
        tokio::select! {
            shown = &mut text => {
                shown?;
                others.await;
                Ok(())
            }
            _ = &mut others => text.await,
        }
    }

    /// The text, however long Discord is away.
    async fn text(&self) -> Result<(), Lost> {
        let mut rounds = 0;
        loop {
            match posts::show(self).await {
                Err(Lost::Later) if rounds < ROUNDS && !self.live.is_abandoned() && !self.discord.rest().is_dead() => {
                    rounds += 1;
                    sleep(LULL).await;
                    self.find().await;
                }
                other => return other,
            }
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Turn) -> T) -> T {
        self.live.read(look)
    }

    /// Until the first word.
    async fn typing(&self) {
        let mut changes = self.live.watch();
        let mut due = Instant::now();
        loop {
            changes.mark_unchanged();
            let goes_on = self.read(|t| !t.state.is_last() && t.text.is_empty() && t.approvals.is_empty());
            if !goes_on || self.live.is_abandoned() {
                return;
            }
            if due <= Instant::now() {
                due = Instant::now() + TYPING;
                let path = format!("/channels/{}/typing", self.channel);
                let told = self.discord.call(Method::POST, path, None, Rank::Extra).await;
                if told.is_err_and(|fault| fault.is_place_gone()) {
                    return;
                }
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(due) => {}
                () = self.discord.rest().died() => return,
            }
        }
    }

    /// Finds the messages that an earlier program posted and had no time to note.
    async fn find(&self) {
        let draft = self.kept.read();
        let ids = self.read(|turn| [render::stop_command(turn), format!("good:{}", turn.id)]);
        let query = [("limit", "50".to_owned())];
        let path = format!("/channels/{}/messages", self.channel);
        let Ok(Value::Array(found)) = self.discord.ask(path, &query).await else { return };
        let mut mine: Vec<String> = found
            .iter()
            .filter(|raw| render::has_button(&raw["components"], &ids))
            .filter_map(|raw| serde_json::from_value::<Message>(raw.clone()).ok())
            .filter(|message| message.author.as_ref().is_some_and(|author| author.id == self.discord.bot()))
            .map(|message| message.id)
            .filter(|id| !draft.messages.contains(id) && !draft.approvals.iter().any(|(_, known)| known == id))
            .collect();
        // It is the last one that has the buttons.
        mine.sort_by_key(|id| std::cmp::Reverse(id.parse::<u64>().unwrap_or(0)));
        if let Some(id) = mine.into_iter().find(|id| self.kept.claims(id)) {
            self.kept.change(|d| d.messages.push(id)).await;
        }
    }

    /// The answer cannot be shown where it was asked for: its asker is told where it is.
    async fn tell_elsewhere(&self) {
        let session = self.read(|t| t.session);
        let text = format!(
            "An answer of the agent could not be shown in <#{}>: nothing can be written there any more. Read it with `/session show {session}`.",
            self.channel
        );
        let Some(direct) = self.discord.direct(&self.asker).await else { return };
        if direct == self.channel {
            // It was their own conversation with the bot: there is nowhere else.
            return;
        }
        let message = render::Message::text(text);
        let _ = self.discord.post(&direct, message.body(), &[], Rank::Reply).await;
    }
}
