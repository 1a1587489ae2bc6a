//! The stories of every surface, told in Discord, by the gateway and by HTTP.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::support::discord::{Bot, Discord, Kind, Seen, State, User, Way};
use crate::support::play::{Player, play, story};

struct Team {
    discord: Discord,
    channel: String,
    who: User,
    /// The thread that was opened last.
    thread: Option<String>,
    before: HashMap<String, String>,
}

fn all(state: &State, channel: &str, who: &str) -> Vec<Seen> {
    let mut places = vec![channel.to_owned()];
    places.extend(state.threads(channel).into_iter().map(|thread| thread.id.clone()));
    // What is for them alone goes there.
    let direct = state.channels.values().filter(|c| c.kind == Kind::Dm && c.recipients == [who]);
    places.extend(direct.map(|channel| channel.id.clone()));
    places.iter().flat_map(|place| state.seen_by(who, place)).filter(Seen::by_bot).collect()
}

/// Without the signs of formats, as people read it.
fn read(text: &str) -> String {
    text.replace("**", "").replace('\\', "")
}

impl Team {
    /// What is new or other since the last thing that was said.
    fn new_in(&self, state: &State) -> Vec<Seen> {
        let fresh = |seen: &Seen| !seen.loading && self.before.get(&seen.id) != Some(&seen.text);
        all(state, &self.channel, &self.who.id).into_iter().filter(fresh).collect()
    }
}

#[async_trait]
impl Player for Team {
    async fn says(&mut self, who: &str, text: &str) {
        self.discord.settled().await;
        self.who = self.discord.user(who);
        self.thread = self.discord.look(|s| s.threads(&self.channel).last().map(|thread| thread.id.clone()));
        self.before = self.discord.look(|s| all(s, &self.channel, &self.who.id).into_iter().map(|m| (m.id, m.text)).collect());
        let in_thread =
            ["/approve", "/deny", "/session stop", "/session show", "/session retry"].iter().any(|c| text.starts_with(c));
        let place = match &self.thread {
            Some(thread) if in_thread || !text.starts_with('/') => thread.clone(),
            _ => self.channel.clone(),
        };
        if !text.starts_with('/') {
            self.who.say(&place, text);
            return;
        }
        // An option takes all that is typed into it.
        let typed = match text.strip_prefix("/deny --reason ") {
            Some(reason) => self.who.run(&place, "deny", &[("reason", reason)]).await,
            None => self.who.try_command(&place, text).await,
        };
        match typed {
            Ok(outcome) => drop(outcome.ok()),
            // What the client would not even send, people write.
            Err(_) => drop(self.who.ask(&place, text)),
        }
    }

    async fn sees(&mut self, text: &str, refused: bool) {
        let fits = |m: &Seen| read(&m.text).contains(text) && (!refused || m.text.contains("⚠️"));
        let found = self.discord.wait(&format!("{text:?}"), |s| self.new_in(s).into_iter().find(fits)).await;
        assert!(refused || !found.text.contains("⚠️"), "{found:?}");
    }

    async fn fills(&mut self, field: &str, value: &str) {
        self.discord.wait("a form", |s| s.modals.get(&self.who.id).cloned()).await;
        self.who.submit(&[(field, value)]).await.ok();
    }

    async fn decides(&mut self, yes: bool) {
        let asked =
            self.discord.wait("a question", |s| self.new_in(s).into_iter().find(|m| m.button("Yes, go on").is_some())).await;
        self.who.click(&asked.channel, &asked.id, if yes { "Yes, go on" } else { "Cancel" }).await.ok();
    }

    async fn waits_for_approval(&mut self) {
        self.discord.wait("an approval", |s| self.new_in(s).into_iter().find(|m| m.button("Allow").is_some())).await;
    }

    fn mention(&self, who: &str) -> String {
        self.discord.user(who).mention()
    }

    fn everything(&self) -> String {
        self.discord.look(|s| s.everything().into_iter().map(|m| format!("{m:?}")).collect::<Vec<_>>().join("\n"))
    }
}

async fn tell(name: &str, way: Way) {
    let discord = Discord::start(way).await;
    let bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let who = discord.user("ann");
    let mut team = Team { discord: discord.clone(), channel, who, thread: None, before: HashMap::new() };
    play(&mut team, story(name)).await;
    discord.settled().await;
    bot.done().await;
    discord.done().await;
}

macro_rules! stories {
    ($($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            tell(stringify!($name), Way::Gateway).await;
        }
    )*};
}
stories!(first_day, sharing, secrets, approvals, ends);
