//! What people write: which of it is for an agent, what came with it, and what happens to it later.

use std::sync::Arc;
use std::time::Duration;

use super::api::Fault;
use super::asked::{Ask, From};
use super::payload::{File, Happened, Message};
use super::place::Place;
use super::workspace::Workspace;
use super::{SURFACE, Slack, ThreadMessages, shown, text};
use crate::chat::desk::Handed;
use crate::model::{Attachment, Origin};

/// Files of one message, and their bytes together.
const FILES: usize = 10;
const TOGETHER: usize = 20 * 1024 * 1024;
const IMAGES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is not for us.
    Nothing,
    Command,
    /// For the session of its thread.
    Thread,
    /// Somebody speaks to us where no session is yet.
    Start,
    /// That depends on what is being done in its thread right now.
    Perhaps,
}

impl Slack {
    pub(super) async fn hears(&self, workspace: &Workspace, message: &Message) -> Heard {
        let user = message.user.as_deref().unwrap_or_default();
        if !message.is_said() || user == workspace.bot || message.ts.is_empty() {
            return Heard::Nothing;
        }
        let said = text::meant(&message.text, &workspace.bot);
        let direct = message.channel_type.as_deref() == Some("im") || message.channel.starts_with('D');
        let spoken_to = direct || said.mentions_bot;
        if spoken_to && gaggle_commands::is_command(&said.text) {
            return Heard::Command;
        }
        let place = Place::new(&workspace.team, &message.channel, Some(message.thread()));
        let listens = spoken_to || self.options().thread_messages == ThreadMessages::All;
        if message.thread_ts.is_some() && listens {
            if self.desk().is_bound(&place.id()).await {
                return Heard::Thread;
            }
            if !spoken_to && self.lanes().is_busy(&format!("{}/{}#{}", workspace.team, message.channel, message.thread())) {
                return Heard::Perhaps;
            }
        }
        if spoken_to { Heard::Start } else { Heard::Nothing }
    }

    /// Hands a message over, in its thread's order.
    pub(super) async fn message(&self, workspace: &Workspace, message: Message, key: &str) {
        // The same lane is busy with this very message, so only a session counts now.
        let heard = match self.hears(workspace, &message).await {
            Heard::Nothing | Heard::Perhaps => return self.desk().handled(key).await,
            heard => heard,
        };
        let user = message.user.clone().unwrap_or_default();
        // What is forwarded with a command is for an agent or for nobody.
        let said = match heard == Heard::Command && !text::asks(&message.text, &workspace.bot) {
            true => shown::said(&message),
            false => shown::with_quote(&message),
        };
        let said = self.spoken(workspace, &said).await;
        let name = workspace.name(&user).await;
        let mut actor = self.actor(&user, &name, &message.channel);
        if let Some(team) = message.team.as_deref().filter(|team| *team != workspace.team && !team.is_empty()) {
            Arc::make_mut(&mut actor).id = format!("{team}/{user}");
        }
        // A command that is said in a channel is about the channel; one in a thread is about that.
        let thread = match heard {
            Heard::Command => message.thread_ts.as_deref(),
            _ => Some(message.thread()),
        };
        let place = Place::new(&workspace.team, &message.channel, thread);
        let origin = Origin { actor, conversation: place.id(), input: Some(key.to_owned()) };
        // What is answered is answered below it.
        let mut ask = Ask::new(From::Message, &user, &message.channel, Some(message.thread())).of(&said);
        ask.begins = message.thread_ts.is_none();
        let input = match heard {
            Heard::Command => Handed::Command(said),
            heard => {
                let (attachments, left_out) = self.attachments(workspace, &message.files).await;
                let mut text = said;
                for note in left_out {
                    text.push_str(&format!("\n\n({note})"));
                }
                Handed::Message { text: text.trim().to_owned(), attachments, starts: heard == Heard::Start }
            }
        };
        let slack = self.clone();
        let (id, key) = (key.to_owned(), key.to_owned());
        self.asked().put(&id, ask);
        let taken = self.desk().take(origin, input, Some(key.clone())).await;
        if !taken.turn {
            // A turn took it out of the inbox in the same step.
            if taken.asks {
                self.desk().handled(&key).await;
            } else {
                let (slack, key) = (self.clone(), key.clone());
                // A command that runs for long must not hold up what is said meanwhile.
                tokio::spawn(async move {
                    taken.ended.await;
                    slack.desk().handled(&key).await;
                    slack.asked().forget(&key);
                });
                return;
            }
        }
        tokio::spawn(async move {
            taken.ended.await;
            slack.asked().forget(&id);
        });
    }

    /// Text files and images within the limits; of the others, a sentence each for the agent to know of.
    async fn attachments(&self, workspace: &Workspace, files: &[File]) -> (Vec<(Attachment, Vec<u8>)>, Vec<String>) {
        let (mut taken, mut left_out) = (Vec::new(), Vec::new());
        let (most, mut room) = (self.options().file_limit, TOGETHER);
        for (at, file) in files.iter().enumerate() {
            let file = &self.told_of(workspace, file).await;
            let name = file.name.clone().or_else(|| file.title.clone()).unwrap_or_else(|| format!("file {}", at + 1));
            let Some(url) = file.url_private_download.as_ref().or(file.url_private.as_ref()) else {
                left_out.push(format!("The file {name} came with this message, but Slack does not let Gaggle read it."));
                continue;
            };
            if at >= FILES || file.size > most.min(room) as u64 {
                left_out.push(format!("The file {name} came with this message, but it is too large, or one too many."));
                continue;
            }
            match self.download(workspace, url, most.min(room)).await {
                Ok(bytes) => {
                    let mime =
                        if IMAGES.contains(&file.mimetype.as_str()) { file.mimetype.clone() } else { "text/plain".to_owned() };
                    if !mime.starts_with("image/") && std::str::from_utf8(&bytes).is_err() {
                        left_out.push(format!("The file {name} came with this message, but it is neither text nor an image."));
                        continue;
                    }
                    room -= bytes.len();
                    taken.push((Attachment { name, mime }, bytes));
                }
                Err(fault) => {
                    tracing::info!(code = fault.code().unwrap_or("unreachable"), "an attached file could not be read");
                    left_out.push(format!("The file {name} came with this message, but it could not be read."));
                }
            }
        }
        (taken, left_out)
    }

    /// A file of another workspace's people comes without anything but its id: the rest is asked for.
    pub(super) async fn told_of(&self, workspace: &Workspace, file: &File) -> File {
        let is_bare = file.file_access.as_deref() == Some("check_file_info") && !file.id.is_empty();
        if !is_bare || file.url_private.is_some() || file.url_private_download.is_some() {
            return file.clone();
        }
        let found = workspace.read("files.info", &[("file", file.id.clone())]).await;
        let told = found.ok().and_then(|mut found| serde_json::from_value::<File>(found["file"].take()).ok());
        told.unwrap_or_else(|| file.clone())
    }

    pub(super) async fn download(&self, workspace: &Workspace, url: &str, most: usize) -> Result<Vec<u8>, Fault> {
        let mut tries = 0;
        loop {
            match workspace.api.download(url, most).await {
                Ok(bytes) => return Ok(bytes.to_vec()),
                Err(fault) if fault.is_passing() && tries < 3 => {
                    let wait = if let Fault::Limited(wait) = fault { wait } else { super::workspace::pause(tries) };
                    tokio::time::sleep(wait.min(Duration::from_secs(30))).await;
                }
                Err(fault) => return Err(fault),
            }
            tries += 1;
        }
    }

    pub(super) async fn changed(&self, workspace: &Workspace, channel: &str, message: Message) {
        // Slack says so too when it adds a preview, or counts a thread's replies.
        let (true, Some(user)) = (message.is_edited && message.bot_id.is_none(), message.user.clone()) else { return };
        let text = self.spoken(workspace, &shown::with_quote(&message)).await;
        let place = Place::new(&workspace.team, channel, Some(message.thread()));
        let name = workspace.name_known(&user).unwrap_or_else(|| user.clone());
        let origin = Origin { actor: self.actor(&user, &name, channel), conversation: place.id(), input: None };
        let source = format!("message:{channel}:{}", message.ts);
        self.desk().take(origin, Handed::Edit { source, text }, None).await.ended.await;
    }

    pub(super) async fn deleted(&self, workspace: &Workspace, channel: &str, ts: &str) {
        let place = Place::new(&workspace.team, channel, Some(ts));
        let origin = Origin { actor: self.actor("", "", channel), conversation: place.id(), input: None };
        let source = format!("message:{channel}:{ts}");
        self.desk().take(origin, Handed::Withdraw { source }, None).await.ended.await;
    }

    /// What is no message.
    pub(super) async fn other(&self, workspace: &Arc<Workspace>, happened: Happened) {
        match happened {
            Happened::HomeOpened { user, tab, .. } if tab != "messages" => self.show_home(workspace, &user).await,
            Happened::AssistantStarted(thread) => self.greet(workspace, &thread).await,
            Happened::GroupMembers { .. } | Happened::GroupUpdated { .. } => self.load_groups(workspace).await,
            Happened::TokensRevoked { bots, .. } if bots.contains(&workspace.bot) || !bots.is_empty() => {
                workspace.die("token_revoked");
            }
            Happened::Uninstalled => workspace.die("app_uninstalled"),
            Happened::UserChanged(profile) => {
                let name = [&profile.display_name, &profile.real_name, &profile.name].into_iter().find(|n| !n.is_empty());
                if let Some(name) = name {
                    workspace.call_name(&profile.id, name);
                }
                if profile.deleted {
                    self.left(workspace, &profile.id).await;
                }
            }
            Happened::ChannelArchived { channel } | Happened::ChannelDeleted { channel } | Happened::ChannelLeft { channel } => {
                tracing::info!(channel, "a channel was closed to the bot; its threads end where they are");
            }
            Happened::ChannelRenamed { channel, name } if !name.is_empty() => workspace.call_name(&channel, &name),
            Happened::RateLimited { .. } => {
                metrics::counter!("gaggle_slack_events_left_out_total").increment(1);
                tracing::warn!("Slack left out events for a minute, because there were too many; they are fetched");
                self.catch_up_soon();
            }
            _ => {}
        }
    }

    /// Somebody's account was closed: what they asked and what waits still is not answered any more.
    async fn left(&self, workspace: &Workspace, user: &str) {
        let origin = Origin {
            actor: self.actor(user, user, ""),
            conversation: Place::new(&workspace.team, "gone", None).id(),
            input: None,
        };
        self.desk().take(origin, Handed::Gone, None).await.ended.await;
        tracing::info!(
            person = format!("{SURFACE}:{user}"),
            "somebody's account was closed; what they asked and what waits is dropped"
        );
    }
}
