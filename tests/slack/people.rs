//! Who may do what, and what people are called: users, user groups, channels.

use super::team::Team;
use crate::support::slack::{Bot, Kind, Slack, State, User, Way};

/// The channel has a project: whoever may write there may use it there, and nowhere else.
#[tokio::test]
async fn a_project_for_a_channel() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.bob, "/project use demo").await;
    team.slack.whisper(&team.bob, "There is no project `demo`").await;
    let alone = team.bob.mention(&team.general, "say 2 words");
    team.slack.whisper(&team.bob, "You have no project yet").await;
    team.types(&team.ann, "/project use demo").await;
    team.sees(&team.general, "is this channel's now").await;
    let root = team.bob.mention(&team.general, "say 3 words");
    team.slack.reply(&team.general, &root, "w1 w2 w3").await;
    let other = team.slack.channel("other", Kind::Private, &["bobby"], true);
    team.bob.mention(&other, "say 4 words");
    team.slack
        .wait("no project there", |s| {
            (s.seen_by(&team.bob.id).iter().filter(|m| m.text.contains("no project yet")).count() == 2).then_some(())
        })
        .await;
    team.types(&team.bob, "/project unuse").await;
    team.slack.whisper(&team.bob, "Only the owner").await;
    team.types(&team.ann, "/project unuse").await;
    team.sees(&team.general, "is no longer this channel's").await;
    team.bob.mention(&team.general, "say 5 words");
    team.slack
        .wait("none any longer", |s| {
            (s.seen_by(&team.bob.id).iter().filter(|m| m.text.contains("no project yet")).count() == 3).then_some(())
        })
        .await;
    assert_eq!(team.slack.thread(&team.general, &alone).len(), 1);
    team.done().await;
}

/// `[access] roles` by user, user group and channel.
/// Asks who somebody is until the answer has it.
async fn is_told_in_the_end(slack: &Slack, who: &User, channel: &str, part: &str) {
    let told = |s: &State| s.seen_by(&who.id).len();
    while !slack.ephemerals(who).iter().any(|m| m.text.contains(part)) {
        let before = slack.look(told);
        assert!(before < 100, "{part:?} is never told");
        who.command("/gaggle", "whoami", channel).await.ok();
        slack.wait("an answer", |s| (told(s) > before).then_some(())).await;
    }
}

#[tokio::test]
async fn roles() {
    let slack = Slack::start(Way::Http).await;
    let (ann, bob, eve) = (slack.user("annabel"), slack.user("bobby"), slack.user("evelyn"));
    let group = slack.group("devs", &[&bob]);
    let general = slack.channel("general", Kind::Public, &["annabel", "bobby", "evelyn"], true);
    let help = slack.channel("help", Kind::Public, &["evelyn"], true);
    let roles = format!(
        "default_role = \"none\"\nroles = {{ \"slack:{}\" = \"admin\", \"slack:{group}\" = \"member\", \"slack:{help}\" = \"viewer\" }}",
        ann.id
    );
    let mut bot = Bot::prepare(&slack, "", &roles, "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    // An answer does not wait long for her name.
    is_told_in_the_end(&slack, &ann, &general, "@Annabel` with the role admin").await;
    assert!(!slack.ephemerals(&ann).iter().any(|m| m.text.contains(&ann.id)));
    bob.command("/gaggle", "whoami", &general).await.ok();
    slack.whisper(&bob, "with the role member").await;
    eve.command("/gaggle", "whoami", &general).await.ok();
    slack.whisper(&eve, "You have no role in Gaggle yet").await;
    eve.command("/gaggle", "whoami", &help).await.ok();
    slack.whisper(&eve, "with the role viewer").await;
    eve.command("/project", "create mine", &help).await.ok();
    slack.whisper(&eve, "takes the role member").await;
    eve.mention(&general, "hello");
    slack
        .wait("nothing for eve", |s| {
            (s.seen_by(&eve.id).iter().filter(|m| m.text.contains("no role")).count() == 2).then_some(())
        })
        .await;
    // The group changes while Gaggle runs.
    slack.group("devs", &[&eve]);
    // Nobody is told when that is known.
    is_told_in_the_end(&slack, &eve, &general, "with the role member").await;
    eve.command("/project", "create mine", &general).await.ok();
    slack
        .wait("eve's project", |s| s.seen_channel(&general).into_iter().find(|m| m.text.contains("Created the project `mine`")))
        .await;
    bob.command("/project", "create his", &general).await.ok();
    slack.whisper(&bob, "You have no role").await;
    bot.done().await;
    slack.done().await;
}

/// Several people in a thread: the agent is told who speaks.
#[tokio::test]
async fn several_people_in_a_thread() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/project use demo").await;
    team.sees(&team.general, "is this channel's now").await;
    let root = team.ann.mention(&team.general, "hello agent");
    let first = team.slack.reply(&team.general, &root, "hello agent").await;
    assert!(!first.text.contains("Annabel"), "{}", first.text);
    team.bob.reply(&team.general, &root, "and hello from me");
    let second = team.slack.reply(&team.general, &root, "and hello from me").await;
    assert!(second.text.contains("Bobby"), "{}", second.text);
    team.ann.reply(&team.general, &root, "thanks both");
    let third = team.slack.reply(&team.general, &root, "thanks both").await;
    assert!(third.text.contains("Annabel"), "{}", third.text);
    team.types(&team.ann, "/session show s1").await;
    let shown = team.slack.whisper(&team.ann, "thanks both").await;
    assert!(!shown.text.contains(&team.bob.id), "a name, not an id: {}", shown.text);
    team.done().await;
}

/// A side pane has no slash commands, and its owner more than one project: each is a button that asks the very message.
#[tokio::test]
async fn a_message_that_could_be_for_several_projects() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.create(&team.ann, "shop").await;
    let (im, root) = team.ann.dm("say 3 words\nand *nothing* else");
    let asked = |s: &State| s.seen_thread(&im, &root).into_iter().find(|m| m.by_bot() && m.button("shop").is_some());
    let asked = team.slack.wait("the projects", asked).await;
    assert!(asked.text.contains("Which project is this for?") && asked.button("demo").is_some(), "{asked:?}");
    team.ann.click(&asked.ts, "shop").await.ok();
    team.slack.reply(&im, &root, "w1 w2 w3").await;
    // The thread is the session's from here on.
    team.ann.reply(&im, &root, "say 5 words");
    team.slack.reply(&im, &root, "w4 w5").await;
    assert_eq!(team.slack.messages(&im).iter().filter(|m| m.thread_ts.is_none()).count(), 1, "nothing is asked anywhere else");
    team.done().await;
}
