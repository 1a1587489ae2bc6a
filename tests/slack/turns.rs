//! Which of several questions in a thread a button means, and who may see a thread.

use super::messages::used;
use super::room::{Answer, answer};
use super::team::Team;
use crate::support::slack::{State, Way};

async fn answered(team: &Team, root: &str, question: &str) -> Answer {
    team.slack.wait(&format!("the answer to {question}"), |s| answer(s, &team.general, root, question)).await
}

/// Waits until words of an answer to this question are there.
async fn begun(team: &Team, root: &str, question: &str) {
    let begun = |s: &State| {
        let mut below = s.seen_thread(&team.general, root).into_iter().filter(|m| m.by_bot() && m.ts.as_str() > question);
        below.any(|m| m.text.starts_with("w1 ")).then_some(())
    };
    team.slack.wait("the first words", begun).await;
}

/// The answer of one stops, not the next one's, also by a button that somebody's screen still shows.
#[tokio::test]
async fn stop_means_the_answer_that_it_stands_at() {
    let team = used(Way::Socket, "100").await;
    let root = team.ann.mention(&team.general, "say 900 words");
    let button = |s: &State| s.seen_thread(&team.general, &root).into_iter().find(|m| m.button("Stop").is_some());
    let stop = team.slack.wait("the Stop button", button).await;
    let second = team.bob.reply(&team.general, &root, "say 40 words");
    team.slack.settled().await;
    let old = team.ann.click_payload(&stop.ts, "Stop");
    team.ann.click(&stop.ts, "Stop").await.ok();
    assert!(answered(&team, &root, &root).await.footer.contains("stopped"));
    begun(&team, &root, &second).await;
    team.ann.click_stale(old).await.ok();
    team.slack.whisper(&team.ann, "That answer has ended already").await;
    let second = answered(&team, &root, &second).await;
    second.begins(40);
    // Two who want the same at once get it once.
    let (one, other) = tokio::join!(team.ann.click(&second.last, "Retry"), team.bob.click(&second.last, "Retry"));
    one.ok();
    other.ok();
    let is_told = |s: &State, who: &str| s.seen_by(who).iter().any(|m| m.text.contains("being answered just now"));
    team.slack.wait("one refusal", |s| (is_told(s, &team.ann.id) != is_told(s, &team.bob.id)).then_some(())).await;
    answered(&team, &root, &second.last).await.says(40);
    team.done().await;
}

/// … whatever was asked after it, and in the name of whoever asked.
#[tokio::test]
async fn retry_asks_the_question_that_it_stands_at() {
    let team = used(Way::Socket, "").await;
    let root = team.ann.mention(&team.general, "fail first");
    let first = answered(&team, &root, &root).await;
    let second = team.bob.reply(&team.general, &root, "how is the weather?");
    let second = answered(&team, &root, &second).await;
    assert!(second.messages.concat().contains("Bobby: how is the weather?"), "{second:?}");
    let third = team.ann.reply(&team.general, &root, "say 3 words");
    let third = answered(&team, &root, &third).await;
    team.ann.click(&first.last, "Retry").await.ok();
    let again = answered(&team, &root, &third.last).await;
    assert!(again.footer.contains("“fail first”"), "{again:?}");
    // Words that are asked again stay their author's.
    team.ann.click(&second.last, "Retry").await.ok();
    let again = answered(&team, &root, &again.last).await;
    assert!(again.messages.concat().contains("Bobby: how is the weather?"), "{again:?}");
    team.done().await;
}

/// A channel that has a project sees what was said there, and not what its owner says to the bot alone.
#[tokio::test]
async fn what_is_said_in_private_stays_there() {
    let team = used(Way::Socket, "").await;
    let (im, ts) = team.ann.dm("the code of the safe is 4711");
    team.slack.reply(&im, &ts, "4711").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    answered(&team, &root, &root).await;
    team.types(&team.ann, "/session list demo").await;
    team.slack.whisper(&team.ann, "4711").await;
    team.types(&team.bob, "/session list demo").await;
    let listed = team.slack.whisper(&team.bob, "say 2 words").await;
    assert!(!listed.text.contains("4711"), "{listed:?}");
    for command in ["/session show s1", "/session export s1", "/session delete s1"] {
        team.types(&team.bob, command).await;
    }
    team.slack.settled().await;
    let told = |s: &State| s.seen_by(&team.bob.id).iter().filter(|m| m.text.contains("no session `s1` that you can see")).count();
    team.slack.wait("three refusals", |s| (told(s) == 3).then_some(())).await;
    team.done().await;
}
