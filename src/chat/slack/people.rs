//! People: their groups, their App Home, their side pane.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;

use super::asked::{Ask, From};
use super::limiter::{Method, Rank};
use super::payload::AssistantThread;
use super::place::Place;
use super::workspace::{Call, Workspace};
use super::{SURFACE, Slack, blocks, locked, text};
use crate::chat::desk::Handed;
use crate::error::{Result, refused};
use crate::model::{Actor, Origin, Reply, Timestamp, clip};

const PROMPTS: &str = "assistant.threads.setSuggestedPrompts";
/// Names that one reply asks for, and for how long.
const NAMES: usize = 20;
const ASKING: Duration = Duration::from_secs(2);
const TITLE: &str = "assistant.threads.setTitle";

impl Slack {
    /// What `blocks` asks for names.
    pub(super) fn names(&self, workspace: &Arc<Workspace>) -> impl Fn(&str) -> Option<String> + use<> {
        let workspace = workspace.clone();
        move |id: &str| workspace.name_known(id)
    }

    /// Asks for the names of those whom a reply speaks of by their ids, as far as that is quick.
    pub(super) async fn learn_names(&self, workspace: &Workspace, reply: &Reply) {
        let texts = std::iter::once(&reply.text).chain(reply.cards.iter().map(|card| &card.text));
        let unknown: BTreeSet<String> =
            texts.flat_map(|text| blocks::ids(text)).filter(|id| workspace.name_known(id).is_none()).take(NAMES).collect();
        let asking = async {
            for id in &unknown {
                workspace.name(id).await;
            }
        };
        let _ = tokio::time::timeout(ASKING, asking).await;
    }

    /// What is said, with the names of those whom it speaks of to an agent, as far as they are soon known.
    pub(super) async fn spoken(&self, workspace: &Workspace, said: &str) -> String {
        let unnamed: BTreeSet<String> = text::unnamed(said, &workspace.bot).into_iter().take(NAMES).collect();
        let asking = async {
            for id in &unnamed {
                workspace.learn_name(id).await;
            }
        };
        let _ = tokio::time::timeout(ASKING, asking).await;
        text::spoken(said, &workspace.bot, &|id| workspace.name_known(id))
    }

    /// What somebody is called, as Slack said it along with what they did, until it tells more.
    pub(super) fn called(&self, workspace: &Arc<Workspace>, user: &str, said: &str) -> String {
        if let Some(name) = workspace.name_known(user) {
            return name;
        }
        workspace.call_name(user, said);
        let (workspace, user) = (workspace.clone(), user.to_owned());
        tokio::spawn(async move { workspace.ask_name(&user).await });
        said.to_owned()
    }

    pub(super) fn actor(&self, user: &str, name: &str, channel: &str) -> Arc<Actor> {
        let groups = locked(&self.0.groups).get(user).cloned().unwrap_or_default();
        let mut groups: Vec<String> = groups.into_iter().map(|group| format!("{SURFACE}:{group}")).collect();
        if !channel.is_empty() {
            groups.push(format!("{SURFACE}:{channel}"));
        }
        Arc::new(Actor { surface: SURFACE.to_owned(), id: user.to_owned(), name: name.to_owned(), groups })
    }

    /// Learns who is in the user groups that the configuration gives roles to.
    pub(super) async fn load_groups(&self, workspace: &Workspace) {
        let mut members: HashMap<String, Vec<String>> = HashMap::new();
        for group in self.desk().groups() {
            match workspace.read("usergroups.users.list", &[("usergroup", group.clone())]).await {
                Ok(found) => {
                    for user in found["users"].as_array().into_iter().flatten().filter_map(|u| u.as_str()) {
                        members.entry(user.to_owned()).or_default().push(group.clone());
                    }
                }
                Err(fault) => {
                    tracing::warn!(
                        group,
                        code = fault.code().unwrap_or("unreachable"),
                        "a user group cannot be read: its roles are not given"
                    );
                }
            }
        }
        *locked(&self.0.groups) = members;
    }

    /// Shows somebody their projects, as they are now. One after the other, so that the last look is what stays.
    pub(super) async fn show_home(&self, workspace: &Arc<Workspace>, user: &str) {
        let (slack, workspace, user) = (self.clone(), workspace.clone(), user.to_owned());
        let lane = format!("home {}/{user}", workspace.team);
        self.lanes().enter(&lane, async move { slack.draw_home(&workspace, &user).await }.boxed()).await;
    }

    async fn draw_home(&self, workspace: &Workspace, user: &str) {
        locked(&self.0.homes).entry(user.to_owned()).or_default();
        let name = workspace.name(user).await;
        let origin = Origin {
            actor: self.actor(user, &name, ""),
            conversation: Place::new(&workspace.team, &format!("home-{user}"), None).id(),
            input: Some(format!("home:{user}:{}", Timestamp::now().as_nanosecond())),
        };
        self.hand(origin, Handed::Command("/project list".to_owned()), None, Ask::new(From::Tab, user, "", None)).await;
    }

    pub(super) async fn show_home_if_open(&self, workspace: &Arc<Workspace>, user: &str) {
        let open = locked(&self.0.homes).contains_key(user);
        if open {
            self.show_home(workspace, user).await;
        }
    }

    /// The channel of somebody's direct messages.
    pub(super) async fn direct_channel(&self, workspace: &Workspace, user: &str) -> Result<String> {
        let call = Call { api: "conversations.open", method: Method::Reads, channel: "", thread: user, rank: Rank::Reply };
        match workspace.send(call, &json!({ "users": user })).await {
            Ok(opened) => Ok(opened["channel"]["id"].as_str().unwrap_or_default().to_owned()),
            Err(_) => refused("Slack lets me write you no direct message. Write to me first, then ask again."),
        }
    }

    /// A new side pane: what it can be used for.
    pub(super) async fn greet(&self, workspace: &Workspace, thread: &AssistantThread) {
        if !workspace.has(PROMPTS) {
            return;
        }
        let prompt = |title: &str, message: &str| json!({ "title": title, "message": message });
        let body = json!({
            "channel_id": thread.channel_id,
            "thread_ts": thread.thread_ts,
            "title": "What shall I look at?",
            "prompts": [
                prompt("What is in this project?", "Give me an overview of this project: what it is for, and how it is built."),
                prompt("What fails?", "Run the tests, and tell me what fails and why."),
                prompt("What changed lately?", "Summarise what changed in this project lately."),
            ],
        });
        let call = Call { api: PROMPTS, method: Method::Status, channel: "", thread: &thread.thread_ts, rank: Rank::Extra };
        if let Err(fault) = workspace.send(call, &body).await {
            workspace.lacks(PROMPTS, fault.code().unwrap_or("unreachable"));
        }
    }

    /// Names a side pane's thread by what it is about.
    pub(super) fn title(&self, workspace: &Arc<Workspace>, place: &Place, message: &str) {
        let Some(thread) = place.thread.clone().filter(|_| place.is_direct() && workspace.has(TITLE)) else { return };
        let (workspace, channel, title) = (workspace.clone(), place.channel.clone(), clip(message, 60));
        tokio::spawn(async move {
            let body = json!({ "channel_id": channel, "thread_ts": thread, "title": title });
            let call = Call { api: TITLE, method: Method::Status, channel: "", thread: &thread, rank: Rank::Extra };
            if let Err(fault) = workspace.send(call, &body).await
                && !fault.is_passing()
            {
                workspace.lacks(TITLE, fault.code().unwrap_or("unreachable"));
            }
        });
    }
}
