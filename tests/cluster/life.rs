//! From nothing to an answer, and back to nothing.

use serde_json::Value;

use crate::support::cluster::{Nodes, corner, status};

/// The steps of a command, as they were shown: `step: text`, the last of each.
fn steps(said: &crate::support::tester::Said) -> Vec<String> {
    let mut last: Vec<(String, String)> = Vec::new();
    for event in said.events.iter().filter(|e| e["type"] == "progress") {
        let (step, text) = (event["step"].as_str().unwrap_or("?").to_owned(), event["text"].as_str().unwrap_or("?").to_owned());
        match last.iter_mut().find(|(s, _)| *s == step) {
            Some((_, before)) => *before = text,
            None => last.push((step, text)),
        }
    }
    last.into_iter().map(|(step, text)| format!("{step}: {text}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_on_pretend_nodes() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo").await.ok();
    assert_eq!(corner.replicas().await, 0);
    let made = corner.objects().await;
    t.say("/project activate demo").await.ok().has("is active");
    assert_eq!(corner.replicas().await, 1);
    t.say("/project deactivate demo").await.ok();
    assert_eq!((corner.replicas().await, status(&t, "demo").await), (0, "inactive".to_owned()));
    assert_eq!(corner.objects().await, made, "a stopped project is as a new one");
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    t.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_life_on_a_real_node() {
    let Some(corner) = corner(Nodes::Real).await else { return };
    let t = corner.start("").await;
    t.say("/project create demo --disk 1Gi").await.ok();
    let activated = t.say("/project activate demo").await.ok();
    let shown = steps(&activated).join("\n");
    for step in
        ["namespace: ", "objects: ", "pod: Its pod is on the node real", "start: Its container runs", "ready: ", "endpoint: "]
    {
        assert!(shown.contains(step), "{step} is missing in\n{shown}");
    }
    let asked = t.say("/ask demo say 200 words").await.ok();
    assert_eq!(asked.turn()["text"].as_str().map(|s| s.split_whitespace().count()), Some(200));
    let logs = t.say("/project logs demo").await.ok();
    assert!(matches!(logs.data("lines"), Value::Array(_)));
    t.say("/project deactivate demo").await.ok();
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    t.done().await;
}
