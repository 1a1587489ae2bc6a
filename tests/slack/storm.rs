//! A team at work while sockets, deliveries and the program itself break: everything is done once, and answered once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::room::{Said, said};
use crate::support::slack::{BOT_USER, Bot, Kind, Rules, Slack, State, User, Way};
use crate::support::storm::{Break, Size, Team, answered, breaks_loose, created};

const THREADS: usize = 12;

struct Storm {
    what: Break,
    slack: Slack,
    bot: Bot,
    /// Commands are typed in the first; questions are asked in all.
    channels: Vec<String>,
    ann: User,
    bob: User,
    /// Threads that were there before it broke loose.
    threads: Vec<(String, String)>,
    /// What was asked in each thread, in words.
    asked: BTreeMap<(String, String), Vec<usize>>,
    begun: Vec<JoinHandle<(String, bool)>>,
    questions: Vec<JoinHandle<(usize, bool)>>,
}

/// How many words the n-th question is to be answered with.
fn words(n: usize) -> usize {
    n % 9 + 1
}

impl Storm {
    async fn open(way: Way, rules: Rules, what: Break) -> Self {
        let slack = Slack::with(way, rules).await;
        slack.allow("never acknowledged");
        let bot = Bot::start(&slack).await;
        let channels: Vec<String> =
            (0..3).map(|n| slack.channel(&format!("team-{n}"), Kind::Public, &["ann", "bob"], true)).collect();
        let (ann, bob) = (slack.user("ann"), slack.user("bob"));
        ann.command("/project", "create demo", &channels[0]).await.ok();
        slack
            .wait("the project", |s| s.seen_channel(&channels[0]).iter().any(|m| m.text.contains("Created")).then_some(()))
            .await;
        let mut storm = Self {
            what,
            slack,
            bot,
            channels,
            ann,
            bob,
            threads: Vec::new(),
            asked: BTreeMap::new(),
            begun: Vec::new(),
            questions: Vec::new(),
        };
        for n in 0..THREADS {
            let thread = storm.ask(n, 2);
            storm.threads.push(thread);
        }
        storm.all_answered().await;
        storm
    }

    /// A question of so many words in a thread of its own.
    fn ask(&mut self, n: usize, words: usize) -> (String, String) {
        let channel = self.channels[n % self.channels.len()].clone();
        let root = self.ann.mention(&channel, &format!("say {words} words"));
        self.asked.insert((channel.clone(), root.clone()), vec![words]);
        (channel, root)
    }

    async fn all_answered(&self) {
        for ((channel, root), asked) in &self.asked {
            let whole = |s: &State| {
                let said = said(s, channel, root);
                (said.ends >= asked.len() && !said.open).then_some(said)
            };
            let Said { words, ends, interrupted, .. } = self.slack.wait(&format!("{asked:?} words in {root}"), whole).await;
            assert_eq!(ends, asked.len(), "in {root}\n{}", self.slack.look(State::report));
            // What was said while nobody listened may be answered after what was said since.
            answered(&words, asked, interrupted);
        }
    }

    async fn done(mut self, all: bool) {
        let (mut acked, mut failed) = (HashSet::new(), 0);
        for one in std::mem::take(&mut self.begun) {
            let (name, ok) = one.await.expect("no panic");
            failed += usize::from(!ok);
            acked.extend(ok.then_some(name));
        }
        let mut asked = Vec::new();
        for one in std::mem::take(&mut self.questions) {
            let (n, ok) = one.await.expect("no panic");
            failed += usize::from(!ok);
            asked.push((n, ok));
        }
        assert!(!all || failed == 0, "{failed} commands failed");
        let bob = &self.bob.id;
        let lacking = |s: &State| -> Vec<String> {
            let told = s.messages.values().flat_map(BTreeMap::values).chain(&s.ephemerals);
            let told = told.filter(|m| m.only_for.as_ref().is_none_or(|only| only == bob));
            let told: HashSet<&str> = told.filter_map(|m| m.text.split('`').nth(1)).collect();
            acked.iter().filter(|name| !told.contains(name.as_str())).cloned().collect()
        };
        let answers = self.slack.try_wait(|s| lacking(s).is_empty().then_some(())).await;
        assert!(answers.is_some(), "no word of {:?}\n{}", self.slack.look(lacking), self.bot.output());
        let channel = self.channels[0].clone();
        let roots = |s: &State, n: usize| -> Vec<String> {
            let own = s.messages[&channel].values().filter(|m| m.thread_ts.is_none() && m.user == BOT_USER);
            own.filter(|m| m.text.contains(&format!(", q{n}."))).map(|m| m.ts.clone()).collect()
        };
        for (n, ok) in asked {
            if ok {
                let root = self.slack.wait(&format!("the thread of q{n}"), |s| roots(s, n).first().cloned()).await;
                self.asked.insert((channel.clone(), root), vec![words(n)]);
            }
            let roots = self.slack.look(|s| roots(s, n));
            assert!(roots.len() <= 1, "q{n} has {} threads", roots.len());
        }
        self.all_answered().await;
        self.slack.settled().await;
        let seen = self.slack.messages(&self.channels[0]);
        let created = created(seen.iter().map(|m| m.text.as_str()));
        let twice: Vec<_> = created.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        // Of the others it was told that they are there already, and why.
        let again = self.slack.look(|s| s.seen_by(bob).iter().filter(|m| m.text.contains("was restarted")).count());
        let unseen = acked.iter().filter(|name| !created.contains_key(*name)).count();
        assert!(unseen <= again, "{unseen} were never told to be there, {again} were done again");
        eprintln!("{} commands acknowledged, {failed} not, {} told to be done, {again} done again", acked.len(), created.len());
        self.all_answered().await;
        self.bot.done().await;
        self.slack.done().await;
    }
}

impl Team for Storm {
    type Platform = Slack;
    const PACE: Duration = Duration::from_millis(4);

    fn bot(&mut self) -> &mut Bot {
        &mut self.bot
    }

    fn message(&mut self, n: usize) {
        if self.what == Break::Connections && n.is_multiple_of(3) {
            self.slack.repeat_some_event(n % 40);
        }
        let words = words(n);
        if n.is_multiple_of(2) {
            self.ask(n, words);
            return;
        }
        let thread = self.threads[n / 2 % THREADS].clone();
        self.ann.reply(&thread.0, &thread.1, &format!("say {words} words"));
        self.asked.get_mut(&thread).expect("a thread").push(words);
    }

    /// One in ten asks something, with a name by which its thread is found.
    fn command(&mut self, n: usize) {
        if n.is_multiple_of(10) {
            let (ann, channel, name) = (self.ann.clone(), self.channels[0].clone(), format!("q{n}."));
            self.questions.push(tokio::spawn(async move {
                let outcome = ann.command("/ask", &format!("demo say {} words, {name}", words(n)), &channel).await;
                (n, outcome.failed.is_none())
            }));
            return;
        }
        let (bob, channel, name) = (self.bob.clone(), self.channels[0].clone(), format!("p{n}"));
        self.begun.push(tokio::spawn(async move {
            let outcome = bob.command("/project", &format!("create {name}"), &channel).await;
            (name, outcome.failed.is_none())
        }));
    }

    fn disconnect(&mut self, n: usize) {
        match n % 4 {
            0 => self.slack.cut_sockets(1),
            1 => self.slack.disconnect(1, "refresh_requested"),
            2 => self.slack.disconnect(1, "warning"),
            _ => self.slack.cut_sockets(2),
        }
    }
}

async fn works(way: Way, rules: Rules, size: Size, what: Break) {
    let mut storm = Storm::open(way, rules, what).await;
    // What nobody was there for; its sender knows.
    let lost: &[&str] = if what == Break::Program {
        &["dispatch_failed", "was answered with HTTP", "message_not_in_streaming_state"]
    } else {
        &[]
    };
    lost.iter().for_each(|part| storm.slack.allow(part));
    breaks_loose(&mut storm, size, what).await;
    storm.done(what == Break::Connections).await;
}

#[tokio::test]
async fn sockets_break() {
    let size = Size::of([150, 60, 16], [1_000, 200, 60]);
    let rules = Rules { resend_cut: true, ..Rules::default().quick_retries() };
    works(Way::Socket, rules, size, Break::Connections).await;
}

#[tokio::test]
async fn the_program_is_killed_at_sockets() {
    let size = Size::of([150, 60, 5], [1_000, 200, 20]);
    works(Way::Socket, Rules::default().quick_retries(), size, Break::Program).await;
}

#[tokio::test]
async fn the_program_is_killed_behind_http() {
    let size = Size::of([150, 60, 5], [1_000, 200, 20]);
    works(Way::Http, Rules::default().quick_retries(), size, Break::Program).await;
}
