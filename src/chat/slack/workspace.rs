//! One workspace: its token, its rates, and what it can do. Everything that is written to Slack leaves here.
//!
//! Invariant: a call that may have been taken is never repeated here; whoever made it knows how to find out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::api::{Api, Fault};
use super::limiter::{Limiter, Method, Permit, Rank};
use super::posted::Known;

/// How often a call that certainly was not taken is made again.
const TRIES: u32 = 8;
/// How long a modal may wait for its turn.
const AT_ONCE: Duration = Duration::from_millis(300);
/// How long what the workspace lacks is believed to be lacking.
const LACKING: Duration = Duration::from_secs(3600);
/// How soon, and how seldom at last, a token is tried again that Slack did not know.
const HEAL: Duration = Duration::from_secs(15);
const SELDOM: Duration = Duration::from_secs(300);
/// Names that are remembered.
const NAMES: usize = 20_000;

pub struct Workspace {
    pub team: String,
    /// The bot's user.
    pub bot: String,
    /// What the bot is called.
    pub bot_name: String,
    pub api: Api,
    pub limiter: Limiter,
    /// Why nothing works any more, once that is so.
    dead: watch::Sender<Option<String>>,
    lacking: Mutex<HashMap<&'static str, Instant>>,
    /// Of people, channels and user groups, by their ids.
    names: Mutex<HashMap<String, String>>,
    pub known: Known,
}

/// One call that has a rate.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub api: &'static str,
    pub method: Method,
    pub channel: &'a str,
    /// Shares are fair among threads.
    pub thread: &'a str,
    pub rank: Rank,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Workspace {
    pub fn new(team: String, bot: String, bot_name: &str, api: Api) -> Self {
        let bot_name = if bot_name.is_empty() { "gaggle" } else { bot_name }.to_owned();
        Self {
            team,
            names: Mutex::new(HashMap::from([(bot.clone(), bot_name.clone())])),
            bot,
            bot_name,
            api,
            limiter: Limiter::default(),
            dead: watch::Sender::new(None),
            lacking: Mutex::default(),
            known: Known::default(),
        }
    }

    pub fn is_dead(&self) -> bool {
        self.dead.borrow().is_some()
    }

    /// Resolves with the reason once nothing works any more.
    pub async fn died(&self) -> String {
        let mut dead = self.dead.subscribe();
        let why = dead.wait_for(Option::is_some).await.ok().map(|why| why.clone().unwrap_or_default());
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Why nothing works, as often as that changes.
    pub fn death(&self) -> watch::Receiver<Option<String>> {
        self.dead.subscribe()
    }

    /// Nothing that needs the token is tried any more, until Slack knows it again.
    pub fn die(&self, why: &str) {
        self.dead.send_if_modified(|dead| {
            let first = dead.is_none();
            if first {
                tracing::error!(team = %self.team, reason = why, "Slack no longer takes this workspace's token; reinstall the app and restart Gaggle");
                *dead = Some(why.to_owned());
            }
            first
        });
    }

    /// Whether the workspace has something that not every one has.
    pub fn has(&self, what: &'static str) -> bool {
        locked(&self.lacking).get(what).is_none_or(|since| since.elapsed() > LACKING)
    }

    pub fn lacks(&self, what: &'static str, code: &str) {
        tracing::info!(team = %self.team, what, code, "this workspace does without");
        locked(&self.lacking).insert(what, Instant::now());
    }

    /// Waits for its turn, and tries again what certainly was not taken.
    pub async fn send(&self, call: Call<'_>, body: &Value) -> Result<Value, Fault> {
        let mut tries = 0;
        loop {
            let permit = tokio::select! {
                biased;
                permit = self.limiter.pass(call.method, call.channel, call.thread, call.rank) => permit,
                why = self.died() => return Err(Fault::Refused(why)),
            };
            match self.send_with(permit, call.api, body).await {
                Err(Fault::Limited(_)) => {}
                Err(Fault::Unsent(what)) if tries >= TRIES => return Err(Fault::Unsent(what)),
                Err(Fault::Unsent(_)) => sleep(pause(tries)).await,
                other => return other,
            }
            tries += 1;
            if tries > 4 * TRIES {
                return Err(Fault::Limited(Duration::from_secs(60)));
            }
        }
    }

    /// Opens a modal, now or not at all: what Slack gave for it lives for three seconds.
    pub async fn open_view(&self, trigger: &str, view: Value) -> bool {
        let leave = self.limiter.pass(Method::Views, "", trigger, Rank::Reply);
        let Ok(permit) = tokio::time::timeout(AT_ONCE, leave).await else { return false };
        match self.send_with(permit, "views.open", &json!({ "trigger_id": trigger, "view": view })).await {
            Ok(_) => true,
            Err(fault) => {
                tracing::info!(code = fault.code().unwrap_or("unreachable"), "a modal could not be opened");
                false
            }
        }
    }

    /// One call whose turn it is.
    pub async fn send_with(&self, permit: Permit, api: &'static str, body: &Value) -> Result<Value, Fault> {
        if let Some(why) = self.dead.borrow().clone() {
            return Err(Fault::Refused(why));
        }
        // Everything that is posted is marked, so that what carries no mark can be known as a stream.
        let marked = match api {
            "chat.postMessage" if body["metadata"].is_null() => {
                let mut body = body.clone();
                body["metadata"] = json!({ "event_type": "gaggle", "event_payload": { "kind": "other" } });
                Some(body)
            }
            _ => None,
        };
        let result = self.api.call(api, marked.as_ref().unwrap_or(body)).await;
        if let (Ok(answer), "chat.postMessage") = (&result, api) {
            self.known.note(answer);
        }
        let result = match result {
            Err(fault) => Err(self.doubted(fault).await),
            ok => ok,
        };
        self.settle(permit, result)
    }

    /// A reading call.
    pub async fn read(&self, api: &'static str, arguments: &[(&str, String)]) -> Result<Value, Fault> {
        let mut tries = 0;
        loop {
            if let Some(why) = self.dead.borrow().clone() {
                return Err(Fault::Refused(why));
            }
            // Somebody waits for what was missed: it is found out whether more may be read at once than Slack says.
            let permit = self.limiter.pass(Method::Reads, api, "reads", Rank::Reply).await;
            let result = match self.api.get(api, arguments).await {
                Err(fault) => Err(self.doubted(fault).await),
                ok => ok,
            };
            match self.settle(permit, result) {
                Err(fault) if fault.is_passing() && tries < TRIES => sleep(pause(tries)).await,
                other => return other,
            }
            tries += 1;
        }
    }

    fn settle(&self, permit: Permit, result: Result<Value, Fault>) -> Result<Value, Fault> {
        match &result {
            Err(Fault::Limited(wait)) => permit.refused(*wait),
            Err(Fault::Unsent(_)) => permit.unused(),
            Err(Fault::Unknown(_)) => drop(permit),
            Err(fault @ Fault::Refused(code)) => {
                permit.worked();
                if fault.is_token_dead() {
                    self.die(code);
                }
            }
            Ok(_) => permit.worked(),
        }
        result
    }

    /// Asks what a person, a channel or a user group is called, if that is not known.
    pub async fn learn_name(&self, id: &str) {
        if self.name_known(id).is_some() {
            return;
        }
        match id.as_bytes().first() {
            Some(b'U' | b'W') => drop(self.ask_name(id).await),
            Some(b'C' | b'G') => {
                let Ok(found) = self.read("conversations.info", &[("channel", id.to_owned())]).await else { return };
                if let Some(name) = found["channel"]["name"].as_str().filter(|name| !name.is_empty()) {
                    self.call_name(id, name);
                }
            }
            Some(b'S') => {
                let Ok(found) = self.read("usergroups.list", &[]).await else { return };
                for group in found["usergroups"].as_array().into_iter().flatten() {
                    if let (Some(id), Some(handle)) = (group["id"].as_str(), group["handle"].as_str()) {
                        self.call_name(id, handle);
                    }
                }
            }
            _ => {}
        }
    }

    /// Slack does not know the token, it says. It may be a hiccup: then the call was not taken.
    async fn doubted(&self, fault: Fault) -> Fault {
        if !fault.is_token_dead() || fault.is_for_ever() {
            return fault;
        }
        match self.api.auth().await {
            Ok(_) => Fault::Unsent("Slack did not know the token for a moment"),
            Err(_) => fault,
        }
    }

    /// Asks seldom whether Slack knows the token again, once it did not.
    pub async fn heal(&self) {
        loop {
            let why = self.died().await;
            let mut pause = HEAL;
            if Fault::Refused(why).is_for_ever() {
                return;
            }
            while self.is_dead() {
                sleep(pause).await;
                pause = (pause * 2).min(SELDOM);
                if self.api.auth().await.is_ok() {
                    tracing::info!(team = %self.team, "Slack takes this workspace's token again");
                    self.dead.send_replace(None);
                }
            }
        }
    }

    pub fn call_name(&self, user: &str, name: &str) {
        let mut names = locked(&self.names);
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(user.to_owned(), name.to_owned());
    }

    pub fn name_known(&self, user: &str) -> Option<String> {
        locked(&self.names).get(user).cloned()
    }

    /// What somebody is called; their id if Slack does not tell.
    pub async fn name(&self, user: &str) -> String {
        if let Some(name) = self.name_known(user) {
            return name;
        }
        self.ask_name(user).await
    }

    /// Whether there is such a user. What Slack does not tell is taken for yes.
    pub async fn has_user(&self, user: &str) -> bool {
        let found = self.read("users.info", &[("user", user.to_owned())]).await;
        !matches!(found, Err(Fault::Refused(code)) if matches!(code.as_str(), "user_not_found" | "user_not_visible"))
    }

    pub async fn ask_name(&self, user: &str) -> String {
        let Ok(found) = self.read("users.info", &[("user", user.to_owned())]).await else { return user.to_owned() };
        let found = &found["user"];
        let words = [&found["profile"]["display_name"], &found["profile"]["real_name"], &found["real_name"], &found["name"]];
        let name = words.into_iter().filter_map(Value::as_str).find(|n| !n.is_empty()).unwrap_or(user).to_owned();
        self.call_name(user, &name);
        name
    }
}

/// Doubles from a quarter of a second to half a minute.
pub fn pause(tries: u32) -> Duration {
    Duration::from_millis(250 * (1 << tries.min(7)))
}
