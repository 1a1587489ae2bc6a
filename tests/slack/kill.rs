//! Gaggle is killed while a team works: what was acknowledged is done, once, and is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::slack::{Bot, Kind, Rules, Slack, Way};

const COMMANDS: usize = 80;

async fn killed_in_the_middle(way: Way) {
    let slack = Slack::with(way, Rules::default().quick_retries()).await;
    let mut bot = Bot::start(&slack).await;
    let general = slack.channel("general", Kind::Public, &["ann"], true);
    let ann = slack.user("ann");
    let mut acked = Vec::new();
    for round in 0..3 {
        let mut begun = Vec::new();
        for n in 0..COMMANDS {
            let (ann, general) = (ann.clone(), general.clone());
            let name = format!("p{round}-{n}");
            begun.push(tokio::spawn(async move {
                let outcome = ann.command("/project", &format!("create {name}"), &general).await;
                (name, outcome.failed.is_none())
            }));
            tokio::time::sleep(Duration::from_millis(2)).await;
            if n == COMMANDS / 4 * (round + 1) {
                bot.kill().await;
            }
        }
        bot.launch();
        bot.ready().await;
        for one in begun {
            let (name, ok) = one.await.expect("no panic");
            if ok {
                acked.push(name);
            }
        }
    }
    assert!(acked.len() > COMMANDS, "{} commands were taken", acked.len());
    // Each is answered, whichever program did it.
    slack
        .wait("an answer to each command", |s| {
            let seen: Vec<String> = s.seen_channel(&general).into_iter().chain(s.seen_by(&ann.id)).map(|m| m.text).collect();
            acked.iter().all(|name| seen.iter().any(|text| text.contains(&format!("`{name}`")))).then_some(())
        })
        .await;
    let mut created: BTreeMap<String, usize> = BTreeMap::new();
    for message in slack.messages(&general) {
        if let Some(name) = message.text.strip_prefix("Created the project `").and_then(|rest| rest.split('`').next()) {
            *created.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert!(created.values().all(|times| *times == 1), "{created:?}");
    slack.settled().await;
    slack.allow("dispatch_failed");
    bot.done().await;
    slack.done().await;
}

#[tokio::test]
async fn commands_over_sockets() {
    killed_in_the_middle(Way::Socket).await;
}

#[tokio::test]
async fn commands_over_http() {
    killed_in_the_middle(Way::Http).await;
}
