//! The gateway: who is let in, what each is told, and what becomes of a connection that ends.
//!
//! Absence: nothing here waits longer than for the thing that it is about.

use std::time::Duration;

use serde_json::{Value, json};
use serenity::all::{GatewayError, GatewayIntents};

use super::client::{INTENTS, begin, listen, rest, silent, with};
use super::registered::project;
use super::{guild, register};
use crate::support::discord::{GUILD, Rules, Shown};

#[tokio::test]
async fn serenity_reads_whatever_is_told() {
    let (discord, app, channel) = guild(Rules::default()).await;
    let bot = listen(&discord, silent()).await;
    let ann = discord.user("ann");
    let question = ann.write(&channel, "why?", None, &[("a.png", b"png")]);
    ann.edit(&channel, &question, "why not?");
    let thread = ann.thread(&channel, Some(&question), "why");
    ann.say(&thread, "in here");
    ann.dm("just us");
    ann.types(&channel);
    ann.react(&channel, &question, "👍");
    ann.archive(&thread);
    let forum = discord.forum("questions");
    ann.post(&forum, "a post", "its text");
    discord.bot_says(&channel, "beep");
    discord.give(&ann, &[&discord.role("admins", 0)]);
    let other = discord.guild("elsewhere", true);
    discord.kick(&other);
    ann.reply(&channel, &question, "nobody?");
    let embed = json!({ "title": "t", "fields": [{ "name": "n", "value": "v" }], "color": 1 });
    let made = app
        .post(
            &channel,
            json!({ "content": "card", "embeds": [embed], "components": [super::row(json!([super::button("b", "b")]))] }),
        )
        .await
        .ok();
    ann.delete(&channel, &question);
    let heard = bot.ear.heard("message", 8).await;
    assert!(heard.iter().any(|m| m["content"] == "its text" && m["guild_id"] == GUILD), "{heard:#?}");
    assert!(heard.iter().any(|m| m["referenced_message"]["content"] == "why not?"));
    assert!(heard.iter().any(|m| m["id"] == made["id"] && m["components"][0]["components"][0]["custom_id"] == "b"));
    assert_eq!(bot.ear.heard("thread_create", 2).await.len(), 2);
    bot.ear.heard("thread_update", 1).await;
    bot.ear.heard("message_delete", 1).await;
    bot.ear.heard("message_update", 2).await;
    let told: u64 = discord.look(|s| s.sessions.values().next().expect("a session").seq);
    assert!(told >= 20, "{told}");
    discord.done().await;
}

#[tokio::test]
async fn serenitys_own_calls_hold_against_the_description() {
    let (discord, _, channel) = guild(Rules::default()).await;
    let http = rest(&discord);
    let channel: serenity::all::ChannelId = channel.parse().expect("an id");
    let embed = serenity::all::CreateEmbed::new().title("t").description("d").field("n", "v", true);
    let button = serenity::all::CreateButton::new("b").label("Press");
    let message = serenity::all::CreateMessage::new().content("hello").embed(embed).button(button);
    let message = channel.send_message(&http, message).await.expect("a message");
    let edit = serenity::all::EditMessage::new().content("better");
    channel.edit_message(&http, message.id, edit).await.expect("an edit");
    let thread = serenity::all::CreateThread::new("a thread");
    channel.create_thread_from_message(&http, message.id, thread).await.expect("a thread");
    channel.broadcast_typing(&http).await.expect("typing");
    http.get_current_application_info().await.expect("the application");
    http.get_bot_gateway().await.expect("the gateway");
    discord.done().await;
}

#[tokio::test]
async fn who_is_not_let_in() {
    let nobody = GatewayIntents::from_bits_retain(1 << 30);
    for (content, intents, code) in [(false, INTENTS, 4014), (true, nobody, 4013)] {
        let (discord, ..) = guild(Rules::default()).await;
        discord.rules(|r| r.message_content = content);
        let bot = begin(&discord, intents, silent()).await;
        discord.wait("a refusal", |s| s.faults.iter().any(|f| f.contains("an identity was refused")).then_some(())).await;
        discord.wait("the end of its connection", |s| s.links.is_empty().then_some(())).await;
        let ended = async {
            loop {
                if let Some(error) = bot.end.lock().expect("no panic").take() {
                    return error;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let error = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("an end");
        let told = match &error {
            serenity::Error::Gateway(GatewayError::DisallowedGatewayIntents) => 4014,
            serenity::Error::Gateway(GatewayError::InvalidGatewayIntents) => 4013,
            other => panic!("{other:?}"),
        };
        assert_eq!(told, code);
    }
}

#[tokio::test]
async fn without_the_privilege_contents_are_kept_back() {
    let (discord, _, channel) = guild(Rules { message_content: false, ..Rules::default() }).await;
    let bot = begin(&discord, INTENTS.difference(GatewayIntents::MESSAGE_CONTENT), silent()).await;
    bot.ear.heard("ready", 1).await;
    let ann = discord.user("ann");
    ann.say(&channel, "not for you");
    ann.ask(&channel, "but this");
    ann.dm("and this");
    let heard = bot.ear.heard("message", 3).await;
    let texts: Vec<&str> = heard.iter().map(|m| m["content"].as_str().expect("a text")).collect();
    assert!(texts[0].is_empty() && texts[1].contains("but this") && texts[2] == "and this", "{texts:?}");
    discord.done().await;
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let (discord, _, channel) = guild(Rules::default()).await;
    let bot = begin(&discord, GatewayIntents::GUILDS | GatewayIntents::DIRECT_MESSAGES, silent()).await;
    bot.ear.heard("ready", 1).await;
    let ann = discord.user("ann");
    ann.say(&channel, "to all");
    ann.dm("to the bot");
    let heard = bot.ear.heard("message", 1).await;
    assert_eq!(heard[0]["content"], "to the bot");
    discord.done().await;
}

/// What is written while a connection is away comes when its session is resumed, and each once.
#[tokio::test]
async fn sessions_are_resumed() {
    let (discord, _, channel) = guild(Rules::default()).await;
    let bot = listen(&discord, silent()).await;
    let ann = discord.user("ann");
    ann.say(&channel, "before");
    bot.ear.heard("message", 1).await;
    discord.refuse_links(true);
    discord.cut_links();
    discord.wait("the cut", |s| s.links.is_empty().then_some(())).await;
    ann.say(&channel, "meanwhile");
    discord.refuse_links(false);
    discord.wait("a resume", |s| (s.resumes == 1).then_some(())).await;
    ann.say(&channel, "after");
    let texts = |seen: &[Value]| seen.iter().map(|m| m["content"].as_str().expect("a text").to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(&bot.ear.heard("message", 3).await), ["before", "meanwhile", "after"]);
    discord.reconnect();
    discord.wait("another resume", |s| (s.resumes == 2).then_some(())).await;
    assert_eq!((bot.ear.so_far("ready").len(), discord.look(|s| s.readies)), (1, 1));
    discord.done().await;
}

#[tokio::test]
async fn a_session_that_is_invalid_is_begun_anew_and_brings_nothing_back() {
    let (discord, _, channel) = guild(Rules::default()).await;
    let bot = listen(&discord, silent()).await;
    discord.refuse_links(true);
    discord.cut_links();
    discord.wait("the cut", |s| s.links.is_empty().then_some(())).await;
    discord.user("ann").say(&channel, "lost");
    discord.forget_sessions();
    discord.refuse_links(false);
    bot.ear.heard("ready", 2).await;
    discord.user("ann").say(&channel, "found");
    let heard = bot.ear.heard("message", 1).await;
    assert_eq!(heard[0]["content"], "found");
    assert_eq!(discord.look(|s| s.resumes), 0);
    discord.done().await;
}

/// An interaction that came while its connection was cut is answered after the resume, if that is soon.
#[tokio::test]
async fn an_interaction_survives_a_resume() {
    let (discord, app, channel) = guild(Rules::default()).await;
    register(&app, json!([project()])).await;
    let _bot = listen(&discord, with(|_| json!({ "type": 4, "data": { "content": "here" } }))).await;
    discord.cut_links();
    let outcome = discord.user("ann").command(&channel, "/project list").await.ok();
    assert!(matches!(outcome.shown, Shown::Message { .. }));
    assert_eq!(discord.look(|s| s.readies), 1);
    discord.done().await;
}

#[tokio::test]
async fn hearts_beat() {
    let (discord, _, channel) = guild(Rules { heartbeat: Duration::from_millis(1_500), ..Rules::default() }).await;
    let bot = listen(&discord, silent()).await;
    discord.deaf(true);
    discord.wait("another session, by a bot that heard no echo", |s| (s.readies > 1).then_some(())).await;
    discord.deaf(false);
    discord.allow("a connection without heartbeats");
    discord.user("ann").say(&channel, "still there?");
    bot.ear.heard("message", 1).await;
    discord.done().await;
}
