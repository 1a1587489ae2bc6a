//! Commands: what people type, what is offered while they type, what they see.

use crate::support::discord::{Bot, Discord, Shown, Way};

async fn says_who_one_is(way: Way) {
    let discord = Discord::start(way).await;
    let bot = Bot::start(&discord).await;
    let channel = discord.channel("team");
    let ann = discord.user("ann");
    ann.command(&channel, "/whoami").await.ok();
    let told = discord.whisper(&ann, "You own 0 projects").await;
    assert!(told.ephemeral && told.pinged.is_empty(), "{told:?}");
    ann.command(&channel, "/project create demo").await.ok();
    discord.sees(&channel, "Created the project").await;
    ann.command(&channel, "/project list").await.ok();
    let list = discord.whisper(&ann, "demo").await;
    assert!(list.button("Activate").is_some() && list.button("Delete…").is_some(), "{list:?}");
    // Names that are there are offered, and only to those who may see them.
    let offered = ann.complete(&channel, "project show", &[], ("name", "de")).await.unwrap();
    assert!(matches!(&offered.shown, Shown::Choices(choices) if format!("{choices:?}").contains("demo")), "{offered:?}");
    let bob = discord.user("bob");
    let offered = bob.complete(&channel, "project show", &[], ("name", "de")).await.unwrap();
    assert!(matches!(&offered.shown, Shown::Choices(choices) if choices.is_empty()), "{offered:?}");
    ann.click(&channel, &list.id, "Activate").await.ok();
    discord.sees(&channel, "active").await;
    // What destroys asks first, whoever asked for it alone.
    let list = discord.whisper(&ann, "demo").await;
    ann.click(&channel, &list.id, "Delete…").await.ok();
    let question = discord.whisper(&ann, "Delete the project").await;
    ann.click(&channel, &question.id, "Yes, go on").await.ok();
    discord.sees(&channel, "Deleted").await;
    bot.done().await;
    discord.done().await;
}

#[tokio::test]
async fn by_gateway() {
    says_who_one_is(Way::Gateway).await;
}

#[tokio::test]
async fn by_http() {
    says_who_one_is(Way::Http).await;
}
