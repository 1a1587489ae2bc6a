//! The Discord stand-in is as strict as Discord: what its API refuses, counts and shows.
//!
//! Absence: the program itself; its own stories are elsewhere.

#[path = "discord_standin/client.rs"]
mod client;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::discord::{APP, BOT, Discord, GUILD, Missed, Rules, Shown, Trouble, Way};
use client::{App, listen, with};

/// Everything that was refused was also kept as a fault.
#[track_caller]
fn forgive(discord: &Discord, refused: usize) {
    assert_eq!(discord.faults().len(), refused, "{:#?}", discord.faults());
    discord.allow("");
}

fn project() -> Value {
    let name = json!({ "type": 3, "name": "name", "description": "Its name", "required": true, "autocomplete": true });
    let runtime = json!({ "type": 3, "name": "runtime", "description": "Where", "choices": [{ "name": "local", "value": "local" }, { "name": "cluster", "value": "kube" }] });
    let create = json!({ "type": 1, "name": "create", "description": "Creates one", "options": [name, runtime] });
    json!({ "name": "project", "description": "Projects", "options": [create] })
}

async fn guild(rules: Rules) -> (Discord, App, String) {
    let discord = Discord::with(Way::Gateway, rules).await;
    let channel = discord.channel("general");
    let app = App::new(&discord);
    (discord, app, channel)
}

async fn register(app: &App, commands: Value) {
    app.call("PUT", &format!("/applications/{APP}/guilds/{GUILD}/commands"), commands).await.ok();
}

#[tokio::test]
async fn serenity_speaks_with_it() {
    let (discord, app, channel) = guild(Rules::default()).await;
    register(&app, json!([project()])).await;
    let bot = listen(&discord, with(|_| json!({ "type": 4, "data": { "content": "Created" } }))).await;
    let ann = discord.user("ann");
    let outcome = ann.command(&channel, "/project create demo --runtime cluster").await.ok();
    assert!(matches!(&outcome.shown, Shown::Message { ephemeral: false, .. }));
    let heard = bot.ear.heard("interaction", 1).await.remove(0);
    assert_eq!(heard["data"]["options"][0]["options"][1]["value"], "kube");
    ann.say(&channel, "hello");
    let heard = bot.ear.heard("message", 2).await;
    assert_eq!(heard[1]["content"], "hello");
    assert_eq!(discord.messages(&channel).len(), 2);
    assert_eq!(BOT, APP);
    assert_eq!(app.get("/users/@me").await.ok()["id"], BOT);
    assert_eq!(Missed::Late, Missed::Late);
    let _ = (Trouble::CutBefore, Duration::ZERO);
    forgive(&discord, 0);
    discord.done().await;
}
