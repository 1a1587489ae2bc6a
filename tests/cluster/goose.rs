//! The real Goose in a pod of the real node, with the scripted model on this machine.

use std::time::Duration;

use serde_json::json;

use crate::support::cluster::{GOOSE_IMAGE, Nodes, corner, until};
use crate::support::llm::{KEY, Llm, MODEL, markdown, words};

#[tokio::test(flavor = "multi_thread")]
async fn goose_answers_from_its_pod() {
    if crate::support::goose::binary("goose_answers_from_its_pod").is_none() {
        return;
    }
    let Some(corner) = corner(Nodes::Real).await else { return };
    let llm = Llm::start_at(corner.host()).await;
    let config = format!(
        "image = \"{GOOSE_IMAGE}\"\nargs = [\"serve\", \"--host\", \"0.0.0.0\", \"--port\", \"{{port}}\"]\nrun_as_user = 1000\n\
         env = {{ GOOSE_PROVIDER = \"openai\", GOOSE_MODEL = \"{MODEL}\", OPENAI_HOST = \"{}\" }}",
        llm.url
    );
    let t = corner.start(&config).await;
    t.say("/project create demo").await.ok();
    t.say("/project update demo --mode approve").await.ok();
    // A key reaches the pod with its next start.
    let form = t.begin("/project secret set demo OPENAI_API_KEY").await.form().await;
    t.operator().fill(&form, json!({ "value": KEY })).await.end().await.ok();
    t.say("/project activate demo").await.ok().has("is active");

    let asked = t.say("/ask demo say 200 words").await.ok();
    assert_eq!(asked.turn()["text"], words(200));
    let long = t.say("/ask demo markdown 18 KB").await.ok();
    assert_eq!(long.turn()["text"], markdown(18));

    // The tool runs in the pod, once somebody allowed it.
    let asked = t.begin("/ask demo shell: id -u; pwd; ls /var/run/secrets 2>&1 | head -1").await;
    let approval = asked.approval().await;
    t.say(&format!("/approve {approval}")).await.ok();
    let told = asked.end().await.ok();
    let text = told.turn()["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("1000") && text.contains("/workspace") && !text.contains("kubernetes.io"), "{text}");

    t.say("/project logs demo --tail 20").await.ok();
    let ran = t.say("/project exec demo -- busybox env").await.ok();
    let told = format!("{:?}", ran.events);
    assert!(told.contains("PROJECT_ID=") && told.contains("[redacted]") && !told.contains(KEY), "{told}");

    // The pod is lost in the middle of an answer.
    llm.pace(Duration::from_millis(20));
    let asked = t.begin("/ask demo say 2000 words").await;
    asked.text().await;
    corner.kill_pods().await;
    asked.end().await.ended_as("interrupted");
    until(&t, "demo", "active").await;
    llm.pace(Duration::ZERO);
    let again = t.say("/ask demo say 50 words").await.ok();
    assert_eq!(again.turn()["text"], words(50));

    t.say("/project deactivate demo").await.ok();
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    assert_eq!(llm.faults(), Vec::<String>::new());
    t.done().await;
}
