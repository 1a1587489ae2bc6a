//! What a newcomer does on the first day.

use serde_json::json;

use crate::support::tester::Tester;

#[tokio::test]
async fn from_nothing_to_an_answer() {
    let t = Tester::start().await;
    t.say("/project list").await.ok();
    t.say("hello?").await.refused();
    t.say("/project create demo").await.ok();
    t.say("/project create demo").await.refused();
    t.say("/project create shop --env REGION=eu").await.ok();
    t.say("/project list").await.ok();
    t.say("/project show demo").await.ok();
    t.say("/project activate demo").await.ok();
    t.say("/project activate demo").await.ok();
    let said = t.say("/ask demo say 5 words").await.ok().ended_as("done");
    assert_eq!(said.turn()["text"], "w1 w2 w3 w4 w5");
    t.say("Isn't it \"quoted\" & 'so'?").await.ok().has("> Isn't it \"quoted\" & 'so'?");
    t.say("/ask shop say 2 words").await.ok();
    t.say("say 3 words").await.ok();
    t.say("/thread").await.ok();
    t.say("/thread 1").await.ok();
    t.say("say 1 word").await.ok();
    t.say("/thread 9").await.refused();
    let sessions = t.say("/session list demo").await.ok().data("sessions");
    assert_eq!(sessions[0]["turns"], 3, "{sessions}");
    let turns = t.say("/session show").await.ok().data("turns");
    assert_eq!(turns.as_array().map(Vec::len), Some(3), "{turns}");
    assert_eq!(turns[2]["text"], "w1", "{turns}");
    t.say("/session show s2").await.ok();
    t.say("/session show s99").await.refused();
    t.say("/project logs demo").await.ok();
    t.say("/project logs demo --tail 1").await.ok();
    t.say("/project logs demo --since 10m").await.refused().has("use `--tail`");
    t.say("/project logs demo --previous").await.refused().has("leave `--previous` and `--since` out");
    t.say("/project status demo").await.ok();
    t.say("/help").await.ok();
    t.say("/help project create").await.ok();
    t.say("/help thread").await.ok();
    t.say("/help nonsense").await.refused();
    t.say("/whoami").await.ok();
    t.say("/nonsense").await.refused();
    t.snapshot("first_steps");
    t.done().await;
}

#[tokio::test]
async fn the_life_of_a_project() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/project deactivate demo").await.ok();
    t.say("/project rename demo shop").await.ok();
    t.say("/project show demo").await.refused();
    t.say("/project create demo").await.ok();
    t.say("/project rename demo shop").await.refused();
    t.say("/project update shop --mode auto --model m1 --provider p1 --env A=1").await.ok();
    t.say("/project update shop --cpu 2").await.ok();
    t.say("/project create big --memory 2Gi").await.ok();
    for (flags, part) in [
        ("--image ghcr.io/acme/goose:1.2", "`--image`, `--port` and `--expose` belong to the `kubernetes` runtime"),
        ("--port 3001 --expose ingress", "Leave them out"),
        ("--disk 10Gi", "leave `--disk` out"),
    ] {
        t.say(&format!("/project update shop {flags}")).await.refused().has(part);
        t.say(&format!("/project create other {flags}")).await.refused().has(part);
    }
    t.say("/project show shop").await.ok();
    t.say("/project activate shop").await.ok();
    t.say("/ask shop use the tool").await.ok().has("by the session's mode");
    t.say("/project update shop --mode chat").await.ok();
    t.say("/project restart shop").await.ok();
    t.say("/ask shop use the tool").await.ok().has("chat mode");
    let data = t.say("/project list").await.ok().data("projects");
    assert_eq!(data[2]["name"], "shop");
    assert_eq!(data[2]["status"], "active");
    assert!(data[2]["endpoint"].as_str().is_some_and(|e| e.starts_with("http://127.0.0.1:")), "{data}");
    assert_eq!(t.agents().len(), 1);
    t.say("/project deactivate shop").await.ok();
    assert_eq!(t.agents(), []);
    t.say("/project deactivate shop").await.ok();
    t.say("say 2 words").await.ok();
    t.say("/project deactivate shop").await.ok();
    t.snapshot("life_of_a_project");
    t.done().await;
}

#[tokio::test]
async fn deleting_asks_first() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/ask demo say 2 words").await.ok();
    let folders = || std::fs::read_dir(t.data().join("projects")).unwrap().count();
    assert_eq!(folders(), 1);

    let asked = t.begin("/project delete demo").await;
    let form = asked.form().await;
    t.operator().cancel(&form).await.end().await;
    assert!(!asked.end().await.ok);
    t.operator().cancel(&form).await.end().await.refused();

    let asked = t.begin("/project delete demo").await;
    let form = asked.form().await;
    t.user("eve").fill(&form, json!({})).await.end().await.refused();
    t.operator().fill(&form, json!({ "sure": "yes" })).await.end().await.refused();
    // A form is filled in from any conversation.
    let filled = t.in_conversation("elsewhere").fill(&form, json!({})).await;
    assert!(asked.end().await.ok().ok);
    filled.end().await.ok();
    assert_eq!(folders(), 0);
    assert_eq!(t.agents(), []);
    t.say("say 2 words").await.refused();
    t.say("/session show s1").await.refused();

    t.say("/project create demo").await.ok();
    t.say("/ask demo say 2 words").await.ok();
    t.say("/project delete demo --keep-files --yes").await.ok();
    assert_eq!(folders(), 1);
    t.say("/project create again").await.ok();
    t.say("/ask again say 2 words").await.ok();
    let asked = t.begin("/project delete again --keep-data").await;
    t.operator().fill(&asked.form().await, json!({})).await.end().await.ok();
    asked.end().await.ok();
    assert_eq!(folders(), 2);
    t.say("/project delete demo --yes").await.refused();
    t.say("/project list").await.ok();
    t.snapshot("deleting");
    t.done().await;
}

#[tokio::test]
async fn sessions_are_kept_shown_and_deleted() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/session list demo").await.ok();
    t.say("/session show").await.refused();
    t.say("/session stop").await.refused();
    t.say("/session retry").await.refused();
    t.say("/ask demo please fail").await.ended_as("failed");
    t.say("/session retry").await.ended_as("failed");
    t.say("say 3 words").await.ok();
    t.say("/session retry").await.refused();
    t.say("/session stop").await.refused();
    t.say("/session rename A | \"better\" title").await.ok();
    t.say("/session rename \"Quoted title\" s1").await.ok();
    t.say("/session list demo").await.ok();
    t.say("/session show").await.ok();
    t.say("/session export s1").await.ok();
    let asked = t.begin("/session delete").await;
    let form = asked.form().await;
    t.operator().fill(&form, json!({})).await.end().await.ok();
    asked.end().await.ok();
    t.say("say 3 words").await.refused();
    t.say("/ask demo say 1 word").await.ok();
    t.say("/session delete s2 --yes").await.ok();
    t.say("/session delete s2 --yes").await.refused();
    t.say("/session list demo").await.ok();
    t.snapshot("sessions");
    t.done().await;
}

#[tokio::test]
async fn status_and_audit() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/ask demo say 2 words").await.ok();
    let status = t.say("/status").await.ok().data("status");
    assert_eq!(status["projects"], json!({ "all": 1, "active": 1 }), "{status}");
    assert_eq!(status["turns"], json!({ "running": 0, "waiting": 0 }), "{status}");
    t.user("ann").say("/status").await.ok().has_not("Store");
    t.user("ann").say("/project show demo").await.refused();
    t.say("/nonsense").await.refused();
    t.user("ann").say("/audit").await.refused();
    // The audit is written in the background, in order with everything else.
    t.say("/project create other").await.ok();
    t.say("/audit --user @ann").await.ok();
    t.say("/audit --tail 1 --user @nobody").await.ok();
    t.snapshot("status_and_audit");
    t.say("/project create third").await.ok();
    let audit = t.say("/audit").await.ok().data("audit");
    let what: Vec<&str> = audit.as_array().unwrap().iter().rev().map(|e| e["what"].as_str().unwrap()).collect();
    let expected =
        ["/project create demo", "/ask demo", "/status", "/status", "/project show demo", "/", "/audit", "/project create other"];
    assert_eq!(what[..8], expected, "{what:?}");
    t.done().await;
}
