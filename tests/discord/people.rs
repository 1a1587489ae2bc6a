//! Who may do what, who is who on both platforms, and what people write outside of threads.

use super::room::{FAST, Room, counted, words};
use crate::support::discord::{Bot, Discord, Missed, State, Trouble, Way};
use crate::support::slack::{self, Slack};

/// `[access] roles` by user, Discord role and channel.
#[tokio::test]
async fn roles() {
    let discord = Discord::start(Way::Http).await;
    let (ann, bob, eve) = (discord.user("ann"), discord.user("bob"), discord.user("eve"));
    let devs = discord.role("devs", 0);
    discord.give(&bob, &[&devs]);
    let (team, help) = (discord.channel("team"), discord.channel("help"));
    let access = format!(
        "default_role = \"none\"\nroles = {{ \"discord:{}\" = \"admin\", \"discord:{devs}\" = \"member\", \"discord:{help}\" = \"viewer\" }}",
        ann.id
    );
    let mut bot = Bot::prepare(&discord, "", &access, "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    let asks = async |who: &crate::support::discord::User, channel: &str, part: &str| {
        let outcome = who.command(channel, "/whoami").await.ok();
        let seen = discord.look(|s| s.seen(s.message(channel, outcome.message()).expect("a message")));
        assert!(seen.ephemeral && seen.text.contains(part), "{seen:?}");
    };
    asks(&ann, &team, "with the role admin").await;
    asks(&bob, &team, "with the role member").await;
    asks(&eve, &team, "You have no role in Gaggle yet").await;
    asks(&eve, &help, "with the role viewer").await;
    eve.command(&help, "/project create mine").await.ok();
    discord.whisper(&eve, "takes the role member").await;
    // What somebody holds at the moment counts.
    discord.give(&eve, &[&devs]);
    discord.give(&bob, &[]);
    asks(&eve, &team, "with the role member").await;
    asks(&bob, &team, "You have no role in Gaggle yet").await;
    bot.done().await;
    discord.done().await;
}

/// The check names what is wrong with a token or an intent, and where that is mended.
#[tokio::test]
async fn a_check_names_what_is_missing() {
    let room = Room::open(Way::Gateway, FAST).await;
    let check = async || room.bot.run(&["check", "--config", "gaggle.toml"]).await;
    let fine = check().await;
    assert!(fine.contains("@gaggle") && !fine.contains("Message Content"), "{fine}");
    room.discord.rules(|rules| rules.message_content = false);
    let silent = check().await;
    assert!(silent.contains("Message Content intent is off") && silent.contains("thread_messages"), "{silent}");
    room.discord.rules(|rules| rules.message_content = true);
    room.discord.trouble("GET /users/@me", 1, &Trouble::Refuse(401, 0, "401: Unauthorized"));
    let refused = check().await;
    assert!(refused.contains("is not taken") && refused.contains("Reset Token"), "{refused}");
    room.done().await;
}

/// A code made in Slack makes the same person of somebody in Discord, in one program that serves both.
#[tokio::test]
async fn one_person_on_both_platforms() {
    let (discord, workspace) = (Discord::start(Way::Gateway).await, Slack::start(slack::Way::Socket).await);
    let sections = format!(
        "[slack]\nmode = \"socket\"\nbot_token = \"{}\"\napp_token = \"{}\"\napi_url = \"{}\"\n",
        slack::BOT_TOKEN,
        slack::APP_TOKEN,
        workspace.api_url()
    );
    let bot = Bot::with(&discord, "", &sections).await;
    workspace.wait("sockets", |s| (s.hellos >= 2).then_some(())).await;
    let general = workspace.channel("general", slack::Kind::Public, &["ann"], true);
    let in_slack = workspace.user("ann");
    in_slack.command("/project", "create shop", &general).await.ok();
    workspace.wait("a project", |s| s.seen_channel(&general).into_iter().find(|m| m.text.contains("Created the project"))).await;
    in_slack.command("/gaggle", "link", &general).await.ok();
    let told = workspace.whisper(&in_slack, "/link ").await;
    let code = told.text.split("/link ").nth(1).expect("a code").split(['`', ' ', '\n']).next().expect("a word").to_owned();
    let (team, ann) = (discord.channel("team"), discord.user("ann"));
    ann.command(&team, "/project list").await.ok();
    discord.whisper(&ann, "You have no projects yet").await;
    ann.command(&team, &format!("/link {code}")).await.ok();
    let question =
        discord.wait("a question", |s| s.whispered(&ann.id).into_iter().find(|m| m.button("Yes, go on").is_some())).await;
    ann.click(&team, &question.id, "Yes, go on").await.ok();
    discord.whisper(&ann, "You are one person now").await;
    ann.command(&team, "/project list").await.ok();
    discord.whisper(&ann, "shop").await;
    ann.command(&team, "/whoami").await.ok();
    let both = discord.whisper(&ann, "You own 1 project").await;
    assert!(both.text.to_lowercase().contains("slack"), "{both:?}");
    // A code is good for once.
    let eve = discord.user("eve");
    eve.command(&team, &format!("/link {code}")).await.ok();
    discord.whisper(&eve, "not known").await;
    workspace.settled().await;
    discord.settled().await;
    bot.done().await;
    workspace.allow("was answered with HTTP 503");
    workspace.done().await;
    discord.done().await;
}

/// *Ask Goose* about what somebody wrote: the answer is in a thread below it.
#[tokio::test]
async fn the_message_command() {
    let room = Room::open(Way::Http, FAST).await;
    let said = room.bob.say(&room.channel, "the build is red since monday");
    let asked = room.ann.message_command(&room.channel, &said, "Ask Goose").await.ok();
    assert!(asked.modal().to_string().contains("\"value\":\"demo\""), "her only project stands there: {}", asked.modal());
    room.ann.submit(&[("question", "why is that?")]).await.ok();
    let thread = room.discord.thread_of(&room.channel, &said).await;
    room.answered(&thread, 1).await;
    let answer = room.discord.look(|s| s.answer(&thread));
    assert!(answer.contains("why is that?") && answer.contains("the build is red"), "{answer}");
    // In a thread it is asked there.
    let inner = room.bob.say(&thread, "and now it is green");
    room.ann.message_command(&thread, &inner, "Ask Goose").await.ok();
    room.ann.submit(&[("question", "say 3 words")]).await.ok();
    room.discord.settled().await;
    room.discord
        .wait("a second answer", |s| s.everything().iter().any(|m| m.by_bot() && m.text.contains("green")).then_some(()))
        .await;
    room.done().await;
}

/// What waits for its turn is changed and withdrawn by its author.
#[tokio::test]
async fn queued_messages_are_edited_and_deleted() {
    let room = Room::open(Way::Gateway, std::time::Duration::from_millis(25)).await;
    let thread = room.asks("say 150 words").await;
    room.begun(&thread).await;
    let edited = room.ann.say(&thread, "say 3 words");
    let deleted = room.ann.say(&thread, "say 4 words");
    room.ann.say(&thread, "say 5 words");
    room.ann.edit(&thread, &edited, "say 6 words");
    room.ann.delete(&thread, &deleted);
    // Nothing is left of the one that was deleted.
    let all = room.answered(&thread, 3).await;
    assert_eq!(all, [counted(150), counted(6), counted(5)].concat());
    room.done().await;
}

/// Direct messages need no mention, and are one session of their own.
#[tokio::test]
async fn direct_messages() {
    let room = Room::open(Way::Gateway, FAST).await;
    let (channel, _) = room.ann.dm("say 3 words");
    room.answered(&channel, 1).await;
    room.ann.dm("say 4 words");
    assert_eq!(room.answered(&channel, 2).await, [counted(3), counted(4)].concat());
    room.ann.dm("/project list");
    room.tells(&room.ann, "demo").await;
    assert!(room.discord.look(|s| s.threads(&channel).is_empty()));
    room.done().await;
}

/// What was said to the bot while it was away, wherever it was spoken to before, is answered once.
#[tokio::test]
async fn what_was_missed_is_answered_once() {
    let mut room = Room::open(Way::Gateway, FAST).await;
    let other = room.discord.channel("other");
    // Nothing has a thread there: a command's answer, and a refusal.
    room.ann.ask(&other, "/whoami");
    room.tells(&room.ann, "You own 1 project").await;
    let (direct, _) = room.bob.dm("hello");
    room.tells(&room.bob, "no project yet").await;
    let noted = room.bot.data();
    assert!(noted.exists());
    room.bot.kill().await;
    let mention = room.ann.ask(&other, "say 3 words");
    room.bob.dm("/whoami");
    room.ann.say(&other, "nobody is meant");
    // A session that is gone cannot be resumed: nothing comes by itself.
    room.discord.change(|s| s.sessions.clear());
    room.bot.launch();
    room.bot.ready().await;
    let thread = room.discord.thread_of(&other, &mention).await;
    assert_eq!(room.answered(&thread, 1).await, counted(3));
    let told = |s: &State| s.seen_channel(&direct).into_iter().filter(|m| m.by_bot() && m.text.contains("You own 0")).count();
    room.discord.wait("an answer in the direct messages", |s| (told(s) == 1).then_some(())).await;
    room.discord.change(|s| s.sessions.clear());
    room.bot.restart().await;
    room.ann.say(&thread, "say 4 words");
    assert_eq!(room.answered(&thread, 2).await, [counted(3), counted(4)].concat());
    assert_eq!(room.discord.look(told), 1);
    room.done().await;
}

/// A question that was shown and not kept yet when the program was killed is asked by the next one, and shown once.
#[tokio::test]
async fn a_question_outlives_the_program() {
    let mut room = Room::open(Way::Gateway, FAST).await;
    let begins = "POST /channels/{id}/messages/{id}/threads";
    let said = room.bob.say(&room.channel, "the build is red");
    room.ann.message_command(&room.channel, &said, "Ask Goose").await.ok();
    for asks in ["a modal", "a command"] {
        room.discord.trouble(begins, 1, &Trouble::Delay(std::time::Duration::from_secs(20)));
        let outcome = match asks {
            "a modal" => room.ann.submit(&[("question", "why is that?")]).await,
            _ => room.ann.command(&room.channel, "/ask demo say 7 words").await,
        };
        assert!(!matches!(outcome.failed(), Some(Missed::Late)), "{outcome:?}");
        room.discord.wait("the thread's beginning", |s| s.troubles.get(begins).is_none_or(|t| t.is_empty()).then_some(())).await;
        room.bot.kill().await;
        room.bot.launch();
        room.bot.ready().await;
        let thread = room.discord.wait("a thread", |s| s.threads(&room.channel).last().map(|t| t.id.clone())).await;
        if asks == "a command" {
            let newest =
                |s: &State| s.threads(&room.channel).iter().map(|t| t.id.clone()).find(|t| !words(&s.answer(t)).is_empty());
            let thread = room.discord.wait("its answer", newest).await;
            assert_eq!(room.answered(&thread, 1).await, counted(7));
        } else {
            room.answered(&thread, 1).await;
            assert!(room.discord.look(|s| s.answer(&thread)).contains("why is that?"));
        }
    }
    let asked = room.discord.look(|s| s.seen_channel(&room.channel).iter().filter(|m| m.text.contains("say 7 words")).count());
    assert_eq!(asked, 1);
    assert_eq!(room.discord.look(|s| s.threads(&room.channel).len()), 2);
    room.done().await;
}

/// A form that was filled in when the program was killed did nothing, and its sender is told so; an old button answers no new form.
#[tokio::test]
async fn forms_of_an_earlier_program() {
    let mut room = Room::open(Way::Gateway, FAST).await;
    room.types("/project create other").await;
    room.discord.sees(&room.channel, "Created the project `other`").await;
    room.types("/project delete demo").await;
    let old = room.discord.whisper(&room.ann, "Delete the project `demo`").await;
    room.bot.restart().await;
    room.types("/project delete other").await;
    room.discord.whisper(&room.ann, "Delete the project `other`").await;
    room.ann.click(&room.channel, &old.id, "Yes, go on").await.ok();
    room.discord.whisper(&room.ann, "is not open any longer").await;
    room.types("/project list").await;
    let list = room.discord.whisper(&room.ann, "demo").await;
    assert!(list.text.contains("other"), "{list:?}");
    room.done().await;
}
