//! Cards and their buttons: who may press them, and when.

use super::team::Team;
use crate::support::slack::Way;

/// The buttons of a project's card do what their commands do.
#[tokio::test]
async fn a_card_and_its_buttons() {
    let team = Team::new(Way::Socket).await;
    let card = team.create(&team.ann, "demo").await;
    let names: Vec<&str> = card.buttons.iter().map(|b| b.text.as_str()).collect();
    assert_eq!(names, ["Activate", "Ask", "Logs", "Delete…"]);
    team.ann.click(&card.ts, "Activate").await.ok();
    let active = team.sees(&team.general, "is active").await;
    team.ann.click(&card.ts, "Activate").await.ok();
    team.sees(&team.general, "is active already").await;
    team.ann.click(&active.ts, "Logs").await.ok();
    team.slack
        .wait("the log", |s| s.seen_by(&team.ann.id).into_iter().find(|m| m.text.contains("log") || m.text.contains("```")))
        .await;
    team.ann.click(&active.ts, "Ask").await.ok();
    let view = team.slack.opened(&team.ann, "/ask").await;
    assert_eq!(view["blocks"][0]["element"]["initial_option"]["value"], "demo");
    team.ann.submit(&[("Message", "say 2 words")]).await.ok();
    let root = team.sees(&team.general, "asks:").await;
    team.slack.reply(&team.general, &root.ts, "w1 w2").await;
    team.ann.click(&active.ts, "Deactivate").await.ok();
    team.sees(&team.general, "is inactive now").await;
    let dialog = team.ann.dialog(&card.ts, "Delete…").expect("Slack asks first");
    assert!(dialog["text"]["text"].as_str().is_some_and(|t| t.contains("demo") && t.contains("for good")), "{dialog}");
    team.ann.confirm(&card.ts, "Delete…").await.ok();
    team.sees(&team.general, "Deleted the project `demo`").await;
    // The card still stands there.
    team.ann.click(&card.ts, "Activate").await.ok();
    team.slack.whisper(&team.ann, "There is no project").await;
    team.ann.click(&card.ts, "Ask").await.ok();
    team.slack
        .wait("both told", |s| {
            (s.seen_by(&team.ann.id).iter().filter(|m| m.text.contains("There is no project")).count() == 2).then_some(())
        })
        .await;
    assert!(team.slack.modal(&team.ann).is_none());
    team.done().await;
}

/// Somebody else presses them: it is about the card's project, never about one of their own that is called the same.
#[tokio::test]
async fn a_button_pressed_by_somebody_else() {
    let team = Team::new(Way::Http).await;
    let card = team.create(&team.ann, "demo").await;
    team.types(&team.bob, "/project create demo").await;
    team.slack
        .wait("both projects", |s| {
            (s.seen_channel(&team.general).iter().filter(|m| m.text.contains("Created the project `demo`")).count() == 2)
                .then_some(())
        })
        .await;
    team.bob.confirm(&card.ts, "Delete…").await.ok();
    team.slack.whisper(&team.bob, "There is no project").await;
    team.bob.click(&card.ts, "Ask").await.ok();
    team.bob.click(&card.ts, "Logs").await.ok();
    team.slack
        .wait("all refused", |s| {
            (s.seen_by(&team.bob.id).iter().filter(|m| m.text.contains("There is no project")).count() == 3).then_some(())
        })
        .await;
    assert!(team.slack.modal(&team.bob).is_none());
    team.types(&team.bob, "/project list").await;
    team.slack.whisper(&team.bob, "*demo*").await;
    // Shared, it may be used, and no more.
    team.types(&team.ann, &format!("/project share demo <@{}|bobby>", team.bob.id)).await;
    team.sees(&team.general, "may now use").await;
    team.bob.click(&card.ts, "Activate").await.ok();
    team.sees(&team.general, "is active").await;
    team.bob.confirm(&card.ts, "Delete…").await.ok();
    team.slack.whisper(&team.bob, "takes the role owner").await;
    team.done().await;
}

/// Slack sends a click twice: it is done once.
#[tokio::test]
async fn a_click_that_comes_twice() {
    let team = Team::new(Way::Socket).await;
    let card = team.create(&team.ann, "demo").await;
    let payload = team.ann.click_payload(&card.ts, "Activate");
    team.ann.click_stale(payload.clone()).await.ok();
    team.ann.click_stale(payload).await.ok();
    team.sees(&team.general, "is active").await;
    team.types(&team.ann, "/project status demo").await;
    team.slack.wait("the status", |s| s.seen_by(&team.ann.id).into_iter().next()).await;
    let told = team.slack.messages(&team.general).iter().filter(|m| m.text.contains("is active")).count();
    assert_eq!(told, 1, "{}", team.slack.transcript(&team.general));
    team.done().await;
}
