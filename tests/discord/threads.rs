//! Threads: questions to an agent, what streams back, what is asked on the way.

use crate::support::discord::{Bot, Discord, State, Way};

#[tokio::test]
async fn a_question_opens_a_thread_and_goes_on_there() {
    let discord = Discord::start(Way::Gateway).await;
    let bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let (ann, bob) = (discord.user("ann"), discord.user("bob"));
    ann.command(&channel, "/project create demo").await.ok();
    ann.command(&channel, "/ask demo say 3 words").await.ok();
    let root = discord.sees(&channel, "asks:").await;
    let thread = discord.thread_of(&channel, &root.id).await;
    discord.sees(&thread, "w1 w2 w3").await;
    ann.say(&thread, "say 400 words");
    let end = discord.wait("the end", |s| s.answer(&thread).contains("w400").then(|| s.answer(&thread))).await;
    assert_eq!(end.matches("w399").count(), 1, "{end}");
    // Whoever has no share is told so, and nothing is asked.
    bob.say(&thread, "say 5 words");
    let told = |s: &State| s.everything().into_iter().find(|m| m.by_bot() && m.text.contains("⚠️"));
    discord.wait("a refusal", told).await;
    assert_eq!(discord.look(|s| super::room::ended(s, &thread)), 2);
    bot.done().await;
    discord.done().await;
}

#[tokio::test]
async fn a_mention_uses_the_channels_project() {
    let discord = Discord::start(Way::Gateway).await;
    let bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let (ann, bob) = (discord.user("ann"), discord.user("bob"));
    ann.command(&channel, "/project create demo").await.ok();
    ann.command(&channel, "/project use demo").await.ok();
    discord.sees(&channel, "demo").await;
    let asked = bob.ask(&channel, "say 4 words");
    let thread = discord.thread_of(&channel, &asked).await;
    discord.sees(&thread, "w1 w2 w3 w4").await;
    // Nobody is called by what an agent says.
    bob.say(&thread, "say @everyone");
    discord.settled().await;
    assert!(discord.pinged().is_empty(), "{:?}", discord.pinged());
    bot.done().await;
    discord.done().await;
}
