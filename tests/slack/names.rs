//! Names where Slack has ids, commands as they can be sent there, and what a message shows besides its text.

use serde_json::{Value, json};

use super::team::Team;
use crate::support::slack::{BOT_USER, Bot, Kind, Slack, User, Way};

/// A project of ann's that is shared with bob, who has one of the same name.
async fn shared(way: Way) -> Team {
    let team = Team::new(way).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.bob, "/project create demo").await;
    team.types(&team.ann, &format!("/project share demo <@{}>", team.bob.id)).await;
    team.sees(&team.general, "may now use the project `demo`").await;
    team
}

/// Somebody else's project is shown with its owner's name, and what is shown can be typed.
#[tokio::test]
async fn a_shared_project_is_called_by_its_owners_name() {
    let team = shared(Way::Socket).await;
    team.types(&team.bob, "/project list").await;
    let list = team.slack.whisper(&team.bob, "@Annabel/demo").await;
    assert!(!list.text.contains(&team.ann.id), "{}", list.text);
    team.types(&team.bob, "/project show demo").await;
    let which = team.slack.whisper(&team.bob, "Which project `demo`?").await;
    assert!(which.text.contains("Say `@Annabel/demo` or `@Bobby/demo`"), "{}", which.text);
    for typed in ["@Annabel/demo", "annabel/demo"] {
        team.types(&team.bob, &format!("/project show {typed}")).await;
    }
    team.slack
        .wait("her project, twice", |s| {
            let shown = s
                .seen_by(&team.bob.id)
                .into_iter()
                .filter(|m| m.text.contains("*demo* is") && m.text.contains("Owner: @Annabel"));
            (shown.count() == 2).then_some(())
        })
        .await;
    // The menu of a form has the same names.
    team.types(&team.bob, "/ask").await;
    let view = team.slack.opened(&team.bob, "/ask").await;
    let offered: Vec<&str> =
        view["blocks"][0]["element"]["options"].as_array().into_iter().flatten().filter_map(|o| o["value"].as_str()).collect();
    assert_eq!(offered, ["@Annabel/demo", "@Bobby/demo"]);
    team.bob.submit(&[("Name", "@Annabel/demo"), ("Message", "say 2 words")]).await.ok();
    let root = team.sees(&team.general, "asks:").await;
    team.slack.reply(&team.general, &root.ts, "w1 w2").await;
    team.bob.open_home();
    team.slack
        .wait("her project at home", |s| {
            let home = s.homes.get(&team.bob.id).map(|id| s.view(id)["blocks"].to_string())?;
            home.contains("*@Annabel/demo*").then_some(())
        })
        .await;
    team.done().await;
}

/// In the audit log, too: what a button sends names its project by the owner's id.
#[tokio::test]
async fn the_audit_log_has_names() {
    let slack = Slack::start(Way::Http).await;
    let mut bot = Bot::prepare(&slack, "", "default_role = \"admin\"", "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    let team = Team::of(slack, bot);
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, &format!("/project deactivate @{}/demo", team.ann.id)).await;
    team.sees(&team.general, "is inactive already").await;
    team.types(&team.ann, "/gaggle audit").await;
    let log = team.slack.whisper(&team.ann, "/project deactivate").await;
    assert!(log.text.contains("/project deactivate @Annabel/demo") && !log.text.contains(&team.ann.id), "{}", log.text);
    team.types(&team.ann, "/gaggle audit --user @annabel").await;
    team.slack
        .wait("her entries, by name", |s| {
            (s.seen_by(&team.ann.id).iter().filter(|m| m.text.contains("/project deactivate")).count() == 2).then_some(())
        })
        .await;
    team.done().await;
}

/// What an agent is asked, and the root that tells of it, have names for people, channels and groups, and for the bot itself.
async fn an_agent_is_told_names(way: Way) {
    let team = Team::new(way).await;
    team.create(&team.ann, "demo").await;
    let group = team.slack.group("devs", &[&team.bob]);
    let (bob, general) = (&team.bob.id, &team.general);
    let said = format!("ping <@{bob}> and <@U0CATCAT1|cat.x> of <!subteam^{group}> in <#{general}> or <#C0DEVDEV1|dev>");
    let told = "ping @Bobby and @cat.x of @devs in #general or #dev";
    team.types(&team.ann, &format!("/ask demo {said}")).await;
    let root = team.sees(&team.general, "asks:").await;
    assert!(root.text.contains(told), "{}", root.text);
    team.slack.reply(&team.general, &root.ts, told).await;
    let root = team.ann.mention(&team.general, &said);
    team.slack.reply(&team.general, &root, told).await;
    team.ann.reply(&team.general, &root, &format!("hi <@{BOT_USER}>, could you look?"));
    team.slack.reply(&team.general, &root, "hi @gaggle, could you look?").await;
    team.done().await;
}

#[tokio::test]
async fn an_agent_is_told_names_over_sockets() {
    an_agent_is_told_names(Way::Socket).await;
}

#[tokio::test]
async fn an_agent_is_told_names_over_http() {
    an_agent_is_told_names(Way::Http).await;
}

async fn asks_about(team: &Team, who: &User, ts: &str, question: &str) {
    who.shortcut(&team.general, ts, "ask_about").await.ok();
    team.slack.opened(who, "Ask Goose about this").await;
    who.submit(&[("Question", question)]).await.ok();
}

/// Alerts have their words in attachments and blocks; who wrote them may have no name.
#[tokio::test]
async fn an_alert_is_asked_about() {
    let team = Team::new(Way::Http).await;
    team.create(&team.ann, "demo").await;
    team.slack.change(|s| s.people("U0ALERTER", "alerter", true));
    let alert = json!([{ "color": "danger", "title": "High CPU", "title_link": "https://g.example.com/1", "text": "node-7 at 99 %",
        "fields": [{ "title": "Severity", "value": "critical" }], "fallback": "High CPU" }]);
    let ts = team.slack.shows("U0ALERTER", &team.general, "", alert, Value::Null);
    asks_about(&team, &team.ann, &ts, "why is that?").await;
    let answer = team.slack.reply(&team.general, &ts, "why is that?").await;
    for part in ["alerter wrote", "High CPU", "node-7 at 99 %", "Severity: critical"] {
        assert!(answer.text.contains(part), "{part} in {}", answer.text);
    }
    let blocks = json!([{ "type": "header", "text": { "type": "plain_text", "text": "Deploy failed" } },
        { "type": "section", "text": { "type": "mrkdwn", "text": "step 3 exit 1" } }]);
    // Of this one Slack tells nothing.
    let ts = team.slack.shows("U0NOBODY9", &team.general, "This content can't be displayed.", Value::Null, blocks);
    team.slack.allow("users.info was refused: user_not_found");
    asks_about(&team, &team.ann, &ts, "and this?").await;
    let answer = team.slack.reply(&team.general, &ts, "and this?").await;
    assert!(answer.text.contains("Somebody wrote") && answer.text.contains("step 3 exit 1"), "{}", answer.text);
    assert!(!answer.text.contains("can't be displayed") && !answer.text.contains("U0NOBODY9"), "{}", answer.text);
    team.done().await;
}

/// A message that is forwarded beside a mention goes along.
#[tokio::test]
async fn what_is_forwarded_goes_along() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    let share = json!([{ "is_share": true, "is_msg_unfurl": true, "author_name": "Cat", "text": "the build is red",
        "from_url": "https://acme.slack.com/archives/C1/p1", "fallback": "[x] Cat: the build is red" }]);
    let ts = team.slack.shows(&team.ann.id, &team.general, &format!("<@{BOT_USER}> look at this"), share, Value::Null);
    let answer = team.slack.reply(&team.general, &ts, "look at this").await;
    assert!(answer.text.contains("Cat wrote:") && answer.text.contains("the build is red"), "{}", answer.text);
    team.done().await;
}

async fn whispers(slack: &Slack, who: &User, part: &str) -> String {
    slack.whisper(who, part).await.text
}

/// Texts name commands as they can be sent: what has no name of its own in Slack behind `/gaggle`, in threads said to the bot.
#[tokio::test]
async fn commands_are_named_as_they_can_be_sent() {
    let team = Team::new(Way::Socket).await;
    team.types(&team.ann, "/gaggle help").await;
    whispers(&team.slack, &team.ann, "`/gaggle help COMMAND`").await;
    let help: String = team.slack.ephemerals(&team.ann).iter().map(|m| m.text.clone()).collect();
    for command in ["`/project list", "`/ask NAME MESSAGE`", "`/gaggle status`", "`/gaggle approve", "`/gaggle whoami`"] {
        assert!(help.contains(command), "{command} in {help}");
    }
    assert!(!help.contains("`/status") && !help.contains("`/deny"), "{help}");
    team.types(&team.ann, "/gaggle help status").await;
    let one = whispers(&team.slack, &team.ann, "Example").await;
    assert!(one.contains("/gaggle status") && !one.contains("\n/status"), "{one}");
    team.create(&team.ann, "demo").await;
    let root = team.ann.mention(&team.general, "say 2 words");
    team.slack.reply(&team.general, &root, "w1 w2").await;
    team.ann.reply(&team.general, &root, &format!("<@{BOT_USER}> /session show s99"));
    let refused = whispers(&team.slack, &team.ann, "There is no session `s99`").await;
    assert!(refused.contains("`@gaggle /session list NAME`"), "{refused}");
    // What others wrote stays as they wrote it.
    team.ann.reply(&team.general, &root, "is `/status` an address?");
    team.slack.reply(&team.general, &root, "is `/status` an address?").await;
    team.types(&team.ann, "/session show s1").await;
    let history = whispers(&team.slack, &team.ann, "an address?").await;
    assert!(history.contains("`/status`") && !history.contains("/gaggle status"), "{history}");
    team.done().await;
}

#[tokio::test]
async fn commands_are_named_with_their_prefix() {
    let team = Team::with(Way::Http, "command_prefix = \"acme-\"\ncommands = [\"project\"]", "").await;
    team.types(&team.ann, "/acme-project create demo").await;
    let created = team.sees(&team.general, "Created the project `demo`").await;
    assert!(created.text.contains("`/acme-project activate demo`") && created.text.contains("`/acme-gaggle ask demo MESSAGE`"));
    team.types(&team.ann, "/acme-project rename demo").await;
    team.slack.opened(&team.ann, "/acme-project rename").await;
    team.ann.close().await.expect("the program is told").ok();
    team.done().await;
}

/// Where the bot is no member, the channel is a link.
#[tokio::test]
async fn a_channel_that_cannot_be_written_to_is_a_link() {
    let team = Team::new(Way::Http).await;
    team.create(&team.ann, "demo").await;
    let dev = team.slack.channel("dev", Kind::Private, &["annabel"], false);
    team.slack.allow("chat.postMessage was refused");
    team.ann.command("/ask", "demo hello", &dev).await.ok();
    let refused = whispers(&team.slack, &team.ann, "I cannot write in").await;
    assert!(refused.contains(&format!("I cannot write in <#{dev}>.")), "{refused}");
    team.done().await;
}

/// Only somebody there is gets a project, by a mention or by a name that means one person.
#[tokio::test]
async fn a_project_is_shared_with_people_who_are_there() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/project share demo @ghost").await;
    let refused = whispers(&team.slack, &team.ann, "nobody called `ghost`").await;
    assert!(refused.contains("pick the person from the suggestions"), "{refused}");
    team.slack.allow("users.info was refused: user_not_found");
    team.types(&team.ann, "/project share demo <@U0NOBODY9|ghost>").await;
    team.slack.whisper(&team.ann, "nobody called").await;
    team.slack
        .wait("the second refusal", |s| {
            (s.seen_by(&team.ann.id).iter().filter(|m| m.text.contains("nobody called")).count() == 2).then_some(())
        })
        .await;
    // Somebody who has spoken here is known by name.
    team.types(&team.bob, "/project list").await;
    team.slack.whisper(&team.bob, "You have no projects yet").await;
    team.types(&team.ann, "/project share demo @bobby").await;
    team.sees(&team.general, "`@Bobby` may now use the project `demo`").await;
    team.types(&team.bob, "/project list").await;
    team.slack.whisper(&team.bob, "@Annabel/demo").await;
    team.types(&team.ann, "/project unshare demo @bobby").await;
    team.sees(&team.general, "can no longer use the project").await;
    team.done().await;
}

/// A name with signs of formats is still a name.
#[tokio::test]
async fn a_name_with_stars() {
    let team = Team::new(Way::Http).await;
    let star = team.slack.user("star");
    team.slack.change(|s| {
        s.users.get_mut(&star.id).expect("a person").display_name = "st*r*_x_".to_owned();
        s.channels.get_mut(&team.general).expect("a channel").members.insert(star.id.clone());
    });
    team.create(&star, "demo").await;
    // Her name is asked for meanwhile.
    team.slack.wait("a look at her name", |s| (s.counts.get("users.info").is_some_and(|c| c.calls > 0)).then_some(())).await;
    team.slack.settled().await;
    team.types(&star, "/ask demo hello").await;
    let root = team.sees(&team.general, "asks:").await;
    let shown = root.text.replace('\u{200b}', "");
    assert!(shown.starts_with("*st*r*_x_* asks:"), "{}", root.text);
    assert!(root.text.contains('\u{200b}'), "the stars within do not end the bold: {:?}", root.text);
    team.done().await;
}
