//! A team at work while the gateway, its sessions and the program itself break: what was taken is done once, and what was said is
//! answered once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::room::{ended, words};
use crate::support::discord::{Bot, Discord, State, User, Way};
use crate::support::storm::{Break, Size, Team, answered, breaks_loose, created};

const THREADS: usize = 12;

struct Storm {
    discord: Discord,
    bot: Bot,
    channel: String,
    ann: User,
    bob: User,
    /// Threads that were there before it broke loose.
    threads: Vec<String>,
    /// What was asked below each message, in words.
    asked: BTreeMap<String, Vec<usize>>,
    begun: Vec<JoinHandle<(String, bool)>>,
    questions: Vec<JoinHandle<(usize, bool)>>,
}

/// How many words the n-th question is to be answered with.
fn length(n: usize) -> usize {
    n % 9 + 1
}

impl Storm {
    async fn open(way: Way) -> Self {
        let discord = Discord::start(way).await;
        let bot = Bot::start(&discord).await;
        let (channel, ann, bob) = (discord.channel("team"), discord.user("ann"), discord.user("bob"));
        ann.command(&channel, "/project create demo").await.ok();
        let mut storm = Self {
            discord,
            bot,
            channel,
            ann,
            bob,
            threads: Vec::new(),
            asked: BTreeMap::new(),
            begun: Vec::new(),
            questions: Vec::new(),
        };
        // By HTTP nothing comes of what people write.
        let threads = if way == Way::Gateway { THREADS } else { 0 };
        for _ in 0..threads {
            let root = storm.ask(2);
            storm.threads.push(root);
        }
        storm.all_answered().await;
        storm
    }

    /// A question of so many words, from which a thread begins.
    fn ask(&mut self, words: usize) -> String {
        let root = self.ann.ask(&self.channel, &format!("say {words} words"));
        self.asked.insert(root.clone(), vec![words]);
        root
    }

    async fn all_answered(&self) {
        for (root, asked) in &self.asked {
            let thread = self.discord.thread_of(&self.channel, root).await;
            let what = format!("{asked:?} words in {thread}");
            let ends = self.discord.wait(&what, |s| Some(ended(s, &thread)).filter(|ends| *ends >= asked.len())).await;
            assert_eq!(ends, asked.len(), "in {thread}\n{}", self.discord.look(State::report));
            let whole = self.discord.look(|s| s.answer(&thread));
            // What was said while nobody listened may be answered after what was said since.
            answered(&words(&whole), asked, whole.matches("interrupted").count());
        }
    }

    async fn done(mut self) {
        let (mut taken, mut failed) = (HashSet::new(), 0);
        for one in std::mem::take(&mut self.begun) {
            let (name, ok) = one.await.expect("no panic");
            failed += usize::from(!ok);
            taken.extend(ok.then_some(name));
        }
        let roots = |s: &State, n: usize| -> Vec<String> {
            let all = s.seen_channel(&self.channel);
            all.into_iter().filter(|m| m.by_bot() && m.text.contains(&format!(", q{n}."))).map(|m| m.id).collect()
        };
        let mut asked = Vec::new();
        for one in std::mem::take(&mut self.questions) {
            let (n, ok) = one.await.expect("no panic");
            failed += usize::from(!ok);
            if ok {
                let root = self.discord.wait(&format!("the question q{n}"), |s| roots(s, n).first().cloned()).await;
                asked.push((root, vec![length(n)]));
            }
            let roots = self.discord.look(|s| roots(s, n));
            assert!(roots.len() <= 1, "q{n} was asked {} times", roots.len());
        }
        self.asked.extend(asked);
        let bob = &self.bob.id;
        let lacking = |s: &State| -> Vec<String> {
            let told =
                s.messages.values().flat_map(BTreeMap::values).filter(|m| m.only_for.as_ref().is_none_or(|only| only == bob));
            let told: Vec<String> = told.map(|m| m.content.clone() + &crate::support::discord::embed_text(&m.embeds)).collect();
            let told: HashSet<&str> = told.iter().filter_map(|text| text.split('`').nth(1)).collect();
            taken.iter().filter(|name| !told.contains(name.as_str())).cloned().collect()
        };
        let answers = self.discord.try_wait(|s| lacking(s).is_empty().then_some(())).await;
        assert!(answers.is_some(), "no word of {:?}\n{}", self.discord.look(lacking), self.bot.output());
        self.all_answered().await;
        self.discord.settled().await;
        let seen = self.discord.messages(&self.channel);
        assert!(seen.iter().all(|m| !m.loading), "somebody waits still\n{}", self.discord.look(State::report));
        let created = created(seen.iter().map(|m| m.text.as_str()));
        let twice: Vec<_> = created.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        eprintln!("{} commands were taken, {failed} were not, {} projects", taken.len(), created.len());
        self.bot.done().await;
        self.discord.done().await;
    }
}

impl Team for Storm {
    type Platform = Discord;
    const PACE: Duration = Duration::from_millis(20);

    fn bot(&mut self) -> &mut Bot {
        &mut self.bot
    }

    fn message(&mut self, n: usize) {
        let words = length(n);
        if n.is_multiple_of(2) {
            self.ask(words);
            return;
        }
        let root = self.threads[n / 2 % THREADS].clone();
        // A thread is called as the message that it began from.
        self.ann.say(&root, &format!("say {words} words"));
        self.asked.get_mut(&root).expect("a thread").push(words);
    }

    /// One in ten asks something, with a name by which its thread is found.
    fn command(&mut self, n: usize) {
        if n.is_multiple_of(10) {
            let (ann, channel) = (self.ann.clone(), self.channel.clone());
            self.questions.push(tokio::spawn(async move {
                let outcome = ann.command(&channel, &format!("/ask demo say {} words, q{n}.", length(n))).await;
                (n, outcome.failed().is_none())
            }));
            return;
        }
        let (bob, channel, name) = (self.bob.clone(), self.channel.clone(), format!("p{n}"));
        self.begun.push(tokio::spawn(async move {
            let outcome = bob.command(&channel, &format!("/project create {name}")).await;
            (name, outcome.failed().is_none())
        }));
    }

    fn disconnect(&mut self, n: usize) {
        match n % 12 {
            // Seldom: for the five seconds until the next session nobody takes anything.
            5 => self.discord.invalidate(false),
            n if n % 4 == 0 => self.discord.cut_links(),
            n if n % 4 == 1 => self.discord.reconnect(),
            n if n % 4 == 2 => self.discord.close_links(4000),
            _ => self.discord.invalidate(true),
        }
    }
}

async fn works(way: Way, size: Size, what: Break) {
    let mut storm = Storm::open(way).await;
    // Whoever gets no answer types it again; what comes to the next program too late is not answered any more.
    for missed in [
        "did not respond",
        "had no response",
        "was answered with HTTP",
        "Unknown Webhook",
        "Unknown interaction",
        // Begun by the program that was killed.
        "A thread has already been created",
    ] {
        storm.discord.allow(missed);
    }
    breaks_loose(&mut storm, size, what).await;
    storm.done().await;
}

#[tokio::test]
async fn the_gateway_breaks() {
    works(Way::Gateway, Size::of([120, 50, 6], [500, 200, 20]), Break::Connections).await;
}

#[tokio::test]
async fn the_program_is_killed_at_the_gateway() {
    works(Way::Gateway, Size::of([120, 50, 4], [500, 200, 15]), Break::Program).await;
}

#[tokio::test]
async fn the_program_is_killed_behind_http() {
    works(Way::Http, Size::of([120, 0, 4], [500, 0, 15]), Break::Program).await;
}
