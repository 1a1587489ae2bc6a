//! The real Goose behind many threads at once, at a Slack that enforces its real rates.

use std::time::{Duration, Instant};

use super::room::answer;
use crate::support::goose::{binary, bot};
use crate::support::llm::Llm;
use crate::support::slack::{Kind, Rules, Slack, State, Way};

const THREADS: usize = 20;
const PACE: Duration = Duration::from_millis(40);

#[tokio::test]
async fn many_threads_at_once() {
    let Some(goose) = binary("many_threads_at_once") else { return };
    let llm = Llm::start().await;
    llm.pace(PACE);
    let slack = Slack::with(Way::Socket, Rules::real_rates()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bot = bot(&slack, &goose, &llm, folder.path()).await;
    let (channel, ann) = (slack.channel("team", Kind::Public, &["ann"], true), slack.user("ann"));
    ann.command("/project", "create demo", &channel).await.ok();
    slack.wait("the project", |s| s.seen_channel(&channel).iter().any(|m| m.text.contains("Created")).then_some(())).await;
    ann.command("/project", "activate demo", &channel).await.ok();
    slack.wait("the agent", |s| s.seen_channel(&channel).iter().any(|m| m.text.contains("is active")).then_some(())).await;
    // Each has an answer of its own length, so that none can stand for another.
    let length = |n: usize| 110 + n;
    let asked = Instant::now();
    let roots: Vec<String> = (0..THREADS).map(|n| ann.mention(&channel, &format!("say {} words", length(n)))).collect();
    for (n, root) in roots.iter().enumerate() {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
        // Rates make it slow, whoever is asked.
        let answer = loop {
            if let Some(answer) = slack.look(|s| answer(s, &channel, root, root)) {
                break answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "no end of {n}\n{}", slack.look(State::report));
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        answer.says(length(n));
    }
    let written = PACE * u32::try_from(length(THREADS)).expect("few");
    let (calls, limited) =
        slack.look(|s| (s.calls.len(), s.calls.iter().filter(|c| c.error.as_deref() == Some("ratelimited")).count()));
    eprintln!("complete {:?} after they were asked, written in {written:?}; {limited} of {calls} calls limited", asked.elapsed());
    assert!(limited * 100 <= calls, "{limited} of {calls} calls were limited");
    assert_eq!(llm.faults(), Vec::<String>::new());
    slack.settled().await;
    bot.done().await;
    slack.done().await;
}
