//! `gaggle serve` and `gaggle check`: the same program with a configuration.

use serde_json::json;

use crate::support::tester::{Tester, snapshot};

#[tokio::test]
async fn the_same_with_a_configuration() {
    let mut t = Tester::prepare(&["serve", "--json", "--config", "gaggle.toml"], &[("GAGGLE_LIMITS__QUEUE", "1")]);
    let data = t.data();
    let file = format!(
        "data_dir = {:?}\n[agent]\nname = \"demo\"\nenv = {{ GAGGLE_DEMO_PACE_MS = \"5\" }}\n",
        data.display().to_string()
    );
    std::fs::write(t.folder().join("gaggle.toml"), file).unwrap();
    let ran = t.run(&["check", "--config", "gaggle.toml"], "").await;
    assert_eq!(ran.code, Some(0), "{ran}");
    t.launch();
    t.ready().await;
    t.say("/whoami").await.ok();
    t.say("/project create demo").await.ok();
    let asked = t.begin("/ask demo say 1000 words").await;
    asked.text().await;
    let one = t.begin("say 2 words").await;
    one.state("waiting").await;
    t.say("say 3 words").await.refused().has("1 message");
    t.say("/session stop").await.ok();
    asked.end().await.ended_as("stopped");
    one.end().await.ok();
    // Nobody plays somebody else here.
    t.garbage(b"{\"id\":\"g\",\"user\":\"ann\",\"text\":\"/whoami\"}", Some("g")).await.invalid();
    t.send_json(json!({ "text": "/status" })).await.end().await.ok();
    t.done().await;
}

#[tokio::test]
async fn all_faults_at_once() {
    let t = Tester::prepare(&[], &[]);
    let file = "data_dri = \"x\"\n[runtime]\nkind = \"docker\"\n[limits]\nqueue = \"many\"\napproval_timeout = \"soon\"\n[agent]\nurl = \"ftp://x\"\n";
    std::fs::write(t.folder().join("gaggle.toml"), file).unwrap();
    let mut told = String::new();
    for args in [
        &["serve", "--json", "--config", "gaggle.toml"][..],
        &["check", "--config", "gaggle.toml"],
        &["serve", "--json", "--config", "nothing.toml"],
    ] {
        let ran = t.run(args, "").await;
        assert_eq!(ran.code, Some(1), "{ran}");
        told += &format!("$ gaggle {}\n{ran}\n\n", args.join(" "));
    }
    std::fs::write(t.folder().join("gaggle.toml"), "data_dir = \"d\"\n").unwrap();
    let ran = t.run(&["serve", "--config", "gaggle.toml"], "").await;
    assert_eq!(ran.code, Some(1), "{ran}");
    told += &format!("$ gaggle serve --config gaggle.toml\n{ran}\n");
    snapshot("configuration_faults", &told);
}
