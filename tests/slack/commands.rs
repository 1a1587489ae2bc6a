//! Slash commands, modals and buttons.

use crate::support::slack::{Bot, Kind, Slack, Way};

/// A team on its first day, by socket and by HTTP.
async fn first_day(way: Way) {
    let slack = Slack::start(way).await;
    let bot = Bot::start(&slack).await;
    let ann = slack.user("ann");
    let general = slack.channel("general", Kind::Public, &["ann", "bob"], true);
    ann.command("/project", "list", &general).await.ok();
    slack.whisper(&ann, "You have no projects yet").await;
    ann.command("/project", "create demo", &general).await.ok();
    slack
        .wait("the new project", |s| s.seen_channel(&general).into_iter().find(|m| m.text.contains("Created the project")))
        .await;
    ann.command("/gaggle", "ask demo say 3 words", &general).await.ok();
    let root = slack.wait("a thread", |s| s.seen_channel(&general).into_iter().find(|m| m.text.contains("asks:"))).await;
    slack.reply(&general, &root.ts, "w1 w2 w3").await;
    ann.reply(&general, &root.ts, "say 4 words");
    slack.reply(&general, &root.ts, "w1 w2 w3 w4").await;
    ann.command("/gaggle", "nonsense", &general).await.ok();
    slack.whisper(&ann, "nonsense").await;
    slack.settled().await;
    bot.done().await;
    slack.done().await;
}

#[tokio::test]
async fn a_first_day_over_sockets() {
    first_day(Way::Socket).await;
}

#[tokio::test]
async fn a_first_day_over_http() {
    first_day(Way::Http).await;
}
