//! What breaks on the way: the program itself in the midst of an answer, forged requests.

use crate::support::discord::{Bot, Discord, Forged, Way};

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
