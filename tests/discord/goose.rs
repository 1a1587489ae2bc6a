//! The real Goose behind many threads at once, at a Discord that enforces its real rates.

use std::time::Duration;

use super::room::{counted, ended, words};
use crate::support::discord::{Discord, Rules, State, Way};
use crate::support::goose::{binary, bot};
use crate::support::llm::Llm;

const THREADS: usize = 50;

#[tokio::test]
async fn many_threads_at_once() {
    let Some(goose) = binary("many_threads_at_once") else { return };
    let llm = Llm::start().await;
    llm.pace(Duration::from_millis(10));
    let discord = Discord::with(Way::Gateway, Rules::real_rates()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bot = bot(&discord, &goose, &llm, folder.path()).await;
    let (channel, ann) = (discord.channel("team"), discord.user("ann"));
    ann.command(&channel, "/project create demo").await.ok();
    ann.command(&channel, "/project activate demo").await.ok();
    discord.sees(&channel, "is active").await;
    // Each has an answer of its own length, so that none can stand for another.
    let length = |n: usize| 150 + n * 5;
    let mut asked = Vec::new();
    for n in 0..THREADS {
        let message = ann.ask(&channel, &format!("say {} words", length(n)));
        asked.push((n, message));
    }
    for (n, message) in asked {
        let thread = discord.thread_of(&channel, &message).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(180);
        // Rates make it slow, whoever is asked.
        while discord.look(|s| ended(s, &thread)) == 0 {
            assert!(tokio::time::Instant::now() < deadline, "no end of {n}\n{}", discord.look(State::report));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(words(&discord.look(|s| s.answer(&thread))), counted(length(n)), "thread {n}");
    }
    let (calls, limited) =
        discord.look(|s| s.counts.values().fold((0, 0), |(calls, limited), c| (calls + c.calls, limited + c.limited)));
    assert!(limited * 100 <= calls, "{limited} of {calls} calls were limited");
    assert_eq!(llm.faults(), Vec::<String>::new());
    bot.done().await;
    discord.done().await;
}
