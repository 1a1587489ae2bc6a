//! Secrets: asked for in a form, hidden, kept sealed, and found by the agent alone.

use serde_json::{Value, json};

use crate::support::tester::{SECRET, Tester, environment};

fn value(name: &str) -> Value {
    json!({ "value": format!("{SECRET}-{name}") })
}

fn has(t: &Tester, variable: &str) -> bool {
    let agents = t.agents();
    assert_eq!(agents.len(), 1);
    environment(agents[0].0).iter().any(|v| v == variable)
}

#[tokio::test]
async fn a_secret_reaches_the_agent_alone() {
    let t = Tester::with(&[], &[("LEAK_ME", "x"), ("OPENAI_API_KEY", "x"), ("GAGGLE_LOG", "info")]).await;
    t.say("/project create demo --env PLAIN=visible").await.ok();
    t.say("/project activate demo").await.ok();
    let ours = environment(t.agents()[0].0);
    assert!(ours.contains(&"PLAIN=visible".to_owned()) && ours.contains(&"USER_ID=console:operator".to_owned()), "{ours:?}");
    assert!(!ours.iter().any(|v| v.starts_with("LEAK_ME") || v.starts_with("OPENAI") || v.starts_with("GAGGLE_LOG")), "{ours:?}");

    t.say("/project secret list demo").await.ok();
    t.say("/secret list").await.ok();
    let asked = t.begin("/project secret set demo API_KEY").await;
    let form = asked.event("a form", |e| e["type"] == "form").await;
    assert_eq!(form["fields"][0]["secret"], true, "{form}");
    let form = form["form"].as_str().unwrap().to_owned();
    t.operator().fill(&form, json!({ "value": "" })).await.end().await.refused();
    t.operator().fill(&form, json!({})).await.end().await.refused();
    t.user("eve").fill(&form, value("eve")).await.end().await.refused();
    t.operator().fill(&form, value("one")).await.end().await.ok();
    asked.end().await.ok();
    assert!(!has(&t, "API_KEY=hunter2-one"), "only after its next start");

    let asked = t.begin("/secret set EVERYWHERE").await;
    t.operator().fill(&asked.form().await, value("two")).await.end().await.ok();
    asked.end().await.ok();
    t.say("/project restart demo").await.ok();
    assert!(has(&t, "API_KEY=hunter2-one") && has(&t, "EVERYWHERE=hunter2-two"));
    t.say("/project secret list demo").await.ok();
    t.say("/secret list").await.ok();
    t.say("/project show demo").await.ok();

    // A project's own secret goes before the person's; a cancelled form changes nothing.
    let asked = t.begin("/secret set API_KEY").await;
    t.operator().fill(&asked.form().await, value("three")).await.end().await.ok();
    asked.end().await.ok();
    let asked = t.begin("/project secret set demo API_KEY").await;
    t.operator().cancel(&asked.form().await).await.end().await.ok();
    assert!(!asked.end().await.ok);
    t.say("/project restart demo").await.ok();
    assert!(has(&t, "API_KEY=hunter2-one"));
    t.say("/project secret unset demo API_KEY").await.ok();
    t.say("/project secret unset demo API_KEY").await.refused();
    t.say("/secret unset EVERYWHERE").await.ok();
    t.say("/project restart demo").await.ok();
    assert!(has(&t, "API_KEY=hunter2-three") && !has(&t, "EVERYWHERE=hunter2-two"));
    t.say("/project logs demo").await.ok();
    t.say("/ask demo say 2 words").await.ok();
    t.say("/session export").await.ok();
    t.snapshot("secrets");
    t.say("/audit").await.ok().has_not(SECRET);
    t.done().await;
}

/// What is never theirs to choose stays as it is.
#[tokio::test]
async fn some_variables_cannot_be_taken() {
    let mut t = Tester::start().await;
    t.say("/project create demo --env USER_ID=root --env GAGGLE_AGENT=x --env PROJECT_ID=y").await;
    for key in ["GOOSE_SERVER__SECRET_KEY", "USER_ID", "GAGGLE_AGENT"] {
        let asked = t.begin(&format!("/secret set {key}")).await;
        t.operator().fill(&asked.form().await, value("four")).await.end().await;
        asked.end().await;
    }
    t.say("/project create other").await;
    t.say("/ask other say 2 words").await.ok();
    let variables = environment(t.agents()[0].0);
    assert!(variables.contains(&"USER_ID=console:operator".to_owned()), "{variables:?}");
    assert!(!variables.iter().any(|v| v.contains(SECRET)), "{variables:?}");
    t.lenient();
    t.done().await;
}

/// Secrets survive a restart and are still sealed for the next one.
#[tokio::test]
async fn secrets_after_a_restart() {
    let mut t = Tester::start().await;
    t.say("/project create demo").await.ok();
    let asked = t.begin("/project secret set demo API_KEY").await;
    t.operator().fill(&asked.form().await, value("five")).await.end().await.ok();
    asked.end().await.ok();
    t.restart().await;
    t.say("/project activate demo").await.ok();
    assert!(has(&t, "API_KEY=hunter2-five"));
    // A form does not outlive the program.
    t.begin("/project secret set demo OTHER").await.form().await;
    t.restart().await;
    t.operator().fill("f1", value("six")).await.end().await.refused();
    t.done().await;
}
