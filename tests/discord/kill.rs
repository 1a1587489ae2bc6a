//! Gaggle is killed while a team works: what had a first response is done, once, and is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::discord::{Bot, Discord, State, Way};

const COMMANDS: usize = 50;

async fn killed_in_the_middle(way: Way) {
    let discord = Discord::start(way).await;
    let mut bot = Bot::start(&discord).await;
    let (channel, ann) = (discord.channel("team"), discord.user("ann"));
    // Whoever gets no answer types it again; what comes to the next program too late is not answered any more.
    for missed in ["did not respond", "had no response", "was answered with HTTP", "Unknown Webhook", "Unknown interaction"] {
        discord.allow(missed);
    }
    let mut acked = Vec::new();
    for round in 0..3 {
        let mut begun = Vec::new();
        for n in 0..COMMANDS {
            let (ann, channel) = (ann.clone(), channel.clone());
            let name = format!("p{round}-{n}");
            begun.push(tokio::spawn(async move {
                let outcome = ann.command(&channel, &format!("/project create {name}")).await;
                (name, outcome.failed().is_none())
            }));
            tokio::time::sleep(Duration::from_millis(4)).await;
            if n == COMMANDS / 4 * (round + 1) {
                bot.kill().await;
            }
        }
        bot.launch();
        bot.ready().await;
        for one in begun {
            let (name, ok) = one.await.expect("no panic");
            acked.extend(ok.then_some(name));
        }
    }
    assert!(acked.len() >= 10, "{} commands were taken", acked.len());
    // Each is answered, whichever program did it.
    let answered = |s: &State| {
        let seen = s.everything();
        let lacking = acked.iter().find(|name| !seen.iter().any(|m| m.by_bot() && m.text.contains(&format!("`{name}`"))));
        (lacking.is_none() && seen.iter().all(|m| !m.loading)).then_some(())
    };
    discord.wait("an answer to each command", answered).await;
    let mut created: BTreeMap<String, usize> = BTreeMap::new();
    for message in discord.messages(&channel) {
        if let Some(name) = message.text.strip_prefix("Created the project `").and_then(|rest| rest.split('`').next()) {
            *created.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert!(created.values().all(|times| *times == 1), "{created:?}");
    discord.settled().await;
    bot.done().await;
    discord.done().await;
}

#[tokio::test]
async fn commands_by_gateway() {
    killed_in_the_middle(Way::Gateway).await;
}

#[tokio::test]
async fn commands_by_http() {
    killed_in_the_middle(Way::Http).await;
}
