//! Slash commands, modals and buttons.

use super::team::Team;
use crate::support::slack::{Bot, Kind, Slack, State, Way};

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

/// What Slack and keyboards make of a text is undone.
#[tokio::test]
async fn the_same_text_as_on_the_console() {
    let team = Team::new(Way::Socket).await;
    team.types(&team.ann, "/project create shop --env “GREETING=hello world” –env LINK=<http://README.md|README.md>").await;
    team.sees(&team.general, "Created the project `shop`").await;
    team.types(&team.ann, "/project show shop").await;
    let shown = team.slack.whisper(&team.ann, "Environment").await;
    assert!(shown.text.contains("GREETING") && shown.text.contains("LINK"), "{}", shown.text);
    team.types(&team.ann, &format!("/project share shop <@{}|bobby>", team.bob.id)).await;
    let shared = team.sees(&team.general, "may now use the project").await;
    assert!(shared.text.contains("@Bobby") && !shared.text.contains(&team.bob.id), "a name, not an id: {}", shared.text);
    team.types(&team.ann, "/gaggle ask shop what is a &lt;b&gt; &amp; <https://x.org/a?b=1&amp;c|x>?").await;
    let root = team.sees(&team.general, "asks:").await;
    assert!(root.text.contains("what is a &lt;b&gt; &amp; ") && root.text.contains("x.org/a?b=1"), "{}", root.text);
    team.slack.reply(&team.general, &root.ts, "demo agent").await;
    team.done().await;
}

/// What only one person asked for is seen by that person; what is refused too.
#[tokio::test]
async fn private_public_and_refused() {
    let team = Team::new(Way::Http).await;
    team.create(&team.ann, "demo").await;
    let before = team.slack.messages(&team.general).len();
    team.types(&team.ann, "/project status demo").await;
    team.slack.whisper(&team.ann, "demo").await;
    team.types(&team.bob, "/project activate nothing").await;
    let refused = team.slack.whisper(&team.bob, "There is no project `nothing`").await;
    assert!(refused.text.contains(":warning:"), "{}", refused.text);
    team.types(&team.bob, "/project show demo").await;
    team.slack.whisper(&team.bob, "There is no project `demo`").await;
    team.types(&team.ann, "/gaggle").await;
    team.slack.whisper(&team.ann, "/project create").await;
    team.types(&team.ann, "/session stop").await;
    team.slack.whisper(&team.ann, "There is no thread here yet").await;
    assert_eq!(team.slack.messages(&team.general).len(), before, "nothing of it was seen by everybody");
    team.done().await;
}

/// The bot is no member: commands work there all the same, by their response URL; a thread cannot be opened.
#[tokio::test]
async fn where_the_bot_is_no_member() {
    let team = Team::new(Way::Socket).await;
    team.slack.change(|s| s.scopes.remove("chat:write.public"));
    let secret = team.slack.channel("board", Kind::Private, &["annabel"], false);
    team.ann.command("/project", "create demo", &secret).await.ok();
    team.sees(&secret, "Created the project `demo`").await;
    team.ann.command("/project", "activate demo", &secret).await.ok();
    team.sees(&secret, "is active").await;
    team.ann.command("/project", "list", &secret).await.ok();
    team.slack.whisper(&team.ann, "demo").await;
    team.slack.allow("not_in_channel");
    team.ann.command("/ask", "demo hello", &secret).await.ok();
    team.slack.whisper(&team.ann, "I cannot write in").await;
    team.done().await;
}

/// A log that is too long for a message is a file: in a direct message, since it is for one person.
#[tokio::test]
async fn what_is_long_and_private_comes_as_a_file_to_its_asker() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/ask demo say 3000 words").await;
    let root = team.sees(&team.general, "asks:").await;
    team.slack.reply(&team.general, &root.ts, "w3000").await;
    team.ann.mention(&team.general, "/session export");
    team.slack.wait("a refusal", |s| s.seen_by(&team.ann.id).into_iter().find(|m| m.text.contains("thread here"))).await;
    team.types(&team.ann, "/session export s1").await;
    team.slack.whisper(&team.ann, "in your direct messages").await;
    let im = team.ann.im();
    let file = team.slack.wait("the file", |s| s.seen_channel(&im).into_iter().find_map(|m| m.files.first().cloned())).await;
    let text = String::from_utf8(file.1).expect("text");
    assert!(file.0.contains("s1") && text.contains("w2999 w3000"), "{}", file.0);
    assert!(team.slack.messages(&team.general).iter().all(|m| m.files.is_empty()), "nobody else was given it");
    team.done().await;
}

/// A list with more projects than one message holds is whole all the same.
#[tokio::test]
async fn a_long_list_is_not_cut() {
    let team = Team::new(Way::Http).await;
    for n in 0..45 {
        team.create(&team.ann, &format!("project-{n}")).await;
    }
    team.types(&team.ann, "/project list").await;
    team.slack
        .wait("all of them", |s| {
            let seen: String = s.seen_by(&team.ann.id).iter().map(|m| format!("{}\n", m.text)).collect();
            (0..45).all(|n| seen.contains(&format!("*project-{n}*"))).then_some(())
        })
        .await;
    team.done().await;
}

/// Another app has `/project` already.
#[tokio::test]
async fn commands_with_a_prefix() {
    let team = Team::with(Way::Socket, "command_prefix = \"acme-\"\ncommands = [\"project\"]", "").await;
    team.types(&team.ann, "/acme-project create demo").await;
    team.sees(&team.general, "Created the project `demo`").await;
    team.types(&team.ann, "/acme-gaggle status").await;
    team.slack.whisper(&team.ann, "Gaggle").await;
    let printed = team.bot.run(&["manifest", "slack", "--config", "gaggle.toml"]).await;
    assert!(printed.contains("command: /acme-project") && printed.contains("command: /acme-gaggle"), "{printed}");
    assert!(!printed.contains("/acme-ask") && printed.contains("socket_mode_enabled: true"), "{printed}");
    team.done().await;
}

/// The check says which scope is missing and where it is given.
#[tokio::test]
async fn a_check_names_what_is_missing() {
    let team = Team::new(Way::Socket).await;
    let fine = team.bot.run(&["check", "--config", "gaggle.toml"]).await;
    team.slack.change(|s| s.scopes.remove("files:write"));
    let lacking = team.bot.run(&["check", "--config", "gaggle.toml"]).await;
    assert!(!fine.contains("files:write") && lacking.contains("files:write"), "{fine}\n---\n{lacking}");
    team.done().await;
}

/// Long work of everybody's is one message that is edited; how it went wrong is told to who asked.
#[tokio::test]
async fn work_is_told_in_one_message() {
    let team = Team::new(Way::Socket).await;
    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    team.types(&team.ann, &format!("/project create slow --repo https://127.0.0.1:{port}/nothing.git")).await;
    team.sees(&team.general, "Created the project `slow`").await;
    team.types(&team.ann, "/project activate slow").await;
    let (held, _) = silent.accept().await.expect("git");
    let told = team.sees(&team.general, "… ").await;
    drop((held, silent));
    team.slack.whisper(&team.ann, ":x:").await;
    let look = |s: &State| s.seen_channel(&team.general).into_iter().find(|m| m.ts == told.ts && m.text.contains('✗'));
    let ended = team.slack.wait("its end", look).await;
    assert!(ended.edits >= 1 && ended.thread_ts.is_none());
    assert_eq!(team.slack.messages(&team.general).len(), 2, "{}", team.slack.transcript(&team.general));
    team.done().await;
}

/// A log that is followed is private: its lines come where only the asker sees them, within what Slack allows.
#[tokio::test]
async fn a_log_is_followed() {
    let slack = Slack::start(Way::Socket).await;
    let gaggle = env!("CARGO_BIN_EXE_gaggle");
    let agent =
        format!("command = [\"sh\", \"-c\", \"(while :; do echo tick tock >&2; sleep 0.2; done) & exec {gaggle} demo-agent\"]");
    let mut bot = Bot::prepare(&slack, "", "default_role = \"member\"", &agent, "");
    bot.launch();
    bot.ready().await;
    let team = Team::of(slack, bot);
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/project activate demo").await;
    team.sees(&team.general, "is active").await;
    team.types(&team.ann, "/project logs demo --follow").await;
    team.slack.whisper(&team.ann, "tick tock").await;
    // More than the response URL has uses for.
    let moved = team.slack.whisper(&team.ann, "in your direct messages").await;
    assert!(moved.edits >= 1);
    let im = team.ann.im();
    team.slack.wait("edits", |s| s.seen_channel(&im).into_iter().find(|m| m.text.contains("tick tock") && m.edits >= 2)).await;
    team.types(&team.ann, "/project deactivate demo").await;
    team.sees(&im, "Stopped following the log of `demo`").await;
    assert_eq!(team.slack.messages(&im).len(), 1);
    assert!(team.slack.messages(&team.general).iter().all(|m| !m.text.contains("tick")));
    team.done().await;
}
