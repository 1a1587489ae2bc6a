//! What breaks on the way: the gateway, the program itself, forged requests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::discord::{Bot, Discord, Forged, Way};

const COMMANDS: usize = 60;

/// The gateway is cut, told to go and invalidated; each command that was answered was done once, each message is answered once.
#[tokio::test]
async fn the_gateway_comes_and_goes() {
    let discord = Discord::start(Way::Gateway).await;
    let bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let ann = discord.user("ann");
    ann.command(&channel, "/project create demo").await.ok();
    ann.command(&channel, "/ask demo say 2 words").await.ok();
    let root = discord.sees(&channel, "asks:").await;
    let thread = discord.thread_of(&channel, &root.id).await;
    discord.sees(&thread, "w1 w2").await;
    // Who gets no answer types it again.
    discord.allow("did not respond");
    discord.allow("had no response");
    let mut begun = Vec::new();
    for n in 0..COMMANDS {
        let (who, channel) = (ann.clone(), channel.clone());
        begun.push(tokio::spawn(async move {
            let name = format!("p{n}");
            let outcome = who.command(&channel, &format!("/project create {name}")).await;
            (name, outcome.failed().is_none())
        }));
        if n % 10 == 0 {
            ann.say(&thread, &format!("say {} words", 20 + n));
        }
        match n {
            15 => discord.cut_links(),
            30 => discord.reconnect(),
            45 => discord.invalidate(false),
            // Some come while nobody listens; the others find somebody again.
            20 | 35 | 50 => discord.connected().await,
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut answered = Vec::new();
    for one in begun {
        let (name, ok) = one.await.expect("no panic");
        answered.extend(ok.then_some(name));
    }
    assert!(answered.len() >= COMMANDS / 3, "{} commands were answered", answered.len());
    for n in (0..COMMANDS).step_by(10) {
        let last = format!("w{}", 20 + n);
        discord.wait(&last, |s| s.answer(&thread).split_whitespace().any(|word| word == last).then_some(())).await;
    }
    discord.settled().await;
    let mut created: BTreeMap<String, usize> = BTreeMap::new();
    for message in discord.messages(&channel) {
        if let Some(name) = message.text.strip_prefix("Created the project `").and_then(|rest| rest.split('`').next()) {
            *created.entry(name.to_owned()).or_default() += 1;
        }
    }
    assert!(created.values().all(|times| *times == 1), "{created:?}");
    assert!(answered.iter().all(|name| created.contains_key(name)), "{created:?}");
    let whole = discord.look(|s| s.answer(&thread));
    assert_eq!(whole.split_whitespace().filter(|word| *word == "w70").count(), 1, "{whole}");
    bot.done().await;
    discord.done().await;
}

/// Killed in the middle of an answer, and away while people write.
#[tokio::test]
async fn killed_and_back() {
    let discord = Discord::start(Way::Gateway).await;
    let mut bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let ann = discord.user("ann");
    ann.command(&channel, "/project create demo").await.ok();
    ann.command(&channel, "/ask demo say 2 words").await.ok();
    let root = discord.sees(&channel, "asks:").await;
    let thread = discord.thread_of(&channel, &root.id).await;
    discord.sees(&thread, "w1 w2").await;
    ann.say(&thread, "say 3000 words");
    discord.wait("some words", |s| s.answer(&thread).contains("w40").then_some(())).await;
    bot.kill().await;
    ann.say(&thread, "say 7 words");
    let mention = ann.ask(&channel, "/whoami");
    bot.launch();
    bot.ready().await;
    discord
        .wait("the end of both", |s| {
            let words: Vec<String> = s.answer(&thread).split_whitespace().map(str::to_owned).collect();
            let has = |word: &str| words.iter().filter(|w| *w == word).count();
            (has("w3000") == 1 && has("w7") == 2).then_some(())
        })
        .await;
    // One after the other, whatever had to be shown of the first.
    let words: Vec<String> = discord.look(|s| s.answer(&thread)).split_whitespace().map(str::to_owned).collect();
    let at = |word: &str| words.iter().rposition(|w| w == word);
    assert!(at("w3000") < at("w7"), "{words:?}");
    discord
        .wait("an answer to what was asked meanwhile", |s| {
            s.everything()
                .iter()
                .any(|m| m.reply_to.as_deref() == Some(&mention) || m.text.contains("You own 1 project"))
                .then_some(())
        })
        .await;
    discord.settled().await;
    bot.done().await;
    discord.done().await;
}

#[tokio::test]
async fn nobody_else_speaks_for_discord() {
    let discord = Discord::start(Way::Http).await;
    let bot = Bot::start(&discord).await;
    let (status, answer) = discord.ping().await;
    assert_eq!((status, answer["type"].as_u64()), (200, Some(1)));
    for (how, wanted) in [
        (Forged::Signature, 401),
        (Forged::Unsigned, 401),
        (Forged::Garbled, 401),
        (Forged::Body, 401),
        (Forged::Stale, 401),
        (Forged::Malformed, 400),
        (Forged::Huge, 413),
    ] {
        let status = discord.forge(how).await;
        // What is too long may be cut off before its sender reads why.
        assert!(status == wanted || (wanted == 413 && status == 0), "{how:?}: {status}");
    }
    let metrics = reqwest::get(format!("{}/metrics", bot.url())).await.unwrap().text().await.unwrap();
    let refused: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("gaggle_discord_refused_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!((refused - 7.0).abs() < 0.5, "{metrics}");
    bot.done().await;
    discord.done().await;
}
