//! The App Home: one's projects, and what is done there.

use serde_json::Value;

use super::team::Team;
use crate::support::slack::{Bot, Slack, User, Way};

fn id(home: &Value) -> &str {
    home["id"].as_str().unwrap_or_default()
}

async fn shows(slack: &Slack, who: &User, part: &str) -> Value {
    slack
        .wait(&format!("{part:?} in the home"), |s| {
            s.homes.get(&who.id).map(|id| s.view(id)).filter(|v| v["blocks"].to_string().contains(part))
        })
        .await
}

async fn a_home(way: Way) {
    let team = Team::new(way).await;
    team.ann.open_home();
    let home = shows(&team.slack, &team.ann, "You have no project yet").await;
    team.ann.click(id(&home), "Create a project").await.ok();
    team.slack.opened(&team.ann, "/project create").await;
    team.ann.submit(&[("Name", "demo")]).await.ok();
    let home = shows(&team.slack, &team.ann, "*demo*").await;
    assert!(home["blocks"].to_string().contains("inactive"), "{home}");
    team.ann.click(id(&home), "Activate").await.ok();
    let home = shows(&team.slack, &team.ann, "\"Deactivate\"").await;
    assert!(!home["blocks"].to_string().contains("no project yet"), "{home}");
    team.ann.click(id(&home), "Ask").await.ok();
    team.slack.opened(&team.ann, "/ask").await;
    team.ann.submit(&[("Message", "say 3 words")]).await.ok();
    let im = team.ann.im();
    let root = team.sees(&im, "asks:").await;
    team.slack.reply(&im, &root.ts, "w1 w2 w3").await;
    team.ann.click(id(&home), "Logs").await.ok();
    team.slack
        .wait("the log", |s| s.seen_channel(&im).into_iter().find(|m| m.text.contains("log") || m.text.contains("```")))
        .await;
    team.ann.click(id(&home), "Deactivate").await.ok();
    let home = shows(&team.slack, &team.ann, "\"Activate\"").await;
    team.ann.confirm(id(&home), "Delete…").await.ok();
    shows(&team.slack, &team.ann, "You have no project yet").await;
    // Nobody else is told of any of it.
    assert!(team.slack.messages(&team.general).is_empty());
    // Each view that was published was true: it never said that there is none while there was one.
    let empty = team.slack.look(|s| {
        let homes = s.calls.iter().filter(|c| c.method == "views.publish").map(|c| c.args["view"]["blocks"].to_string());
        homes.map(|blocks| blocks.contains("no project yet")).collect::<Vec<_>>()
    });
    assert!(empty.first() == Some(&true) && empty.last() == Some(&true), "{empty:?}");
    let between = &empty[1..empty.len() - 1];
    assert!(between.iter().skip_while(|e| **e).skip_while(|e| !**e).all(|e| *e), "{empty:?}");
    team.done().await;
}

#[tokio::test]
async fn a_home_over_sockets() {
    a_home(Way::Socket).await;
}

#[tokio::test]
async fn a_home_over_http() {
    a_home(Way::Http).await;
}

/// Whoever has no role reads so in their home, and gets no message each time.
#[tokio::test]
async fn a_home_without_a_role() {
    let slack = Slack::start(Way::Socket).await;
    let mut bot = Bot::prepare(&slack, "", "default_role = \"none\"", "name = \"demo\"", "");
    bot.launch();
    bot.ready().await;
    let ann = slack.user("annabel");
    ann.open_home();
    let home = shows(&slack, &ann, "You have no role in Gaggle yet").await;
    assert!(!home["blocks"].to_string().contains("Create a project"), "{home}");
    let im = ann.im();
    assert!(slack.messages(&im).is_empty());
    bot.done().await;
    slack.done().await;
}
