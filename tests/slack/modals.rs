//! Modals: what a command lacks, secrets, confirmations.

use serde_json::{Value, json};

use super::team::Team;
use crate::support::slack::{Put, State, Trouble, Way};

const VALUE: &str = "sk-very-secret-49152";

fn fields(view: &Value) -> Vec<&str> {
    view["blocks"].as_array().into_iter().flatten().filter_map(|b| b["label"]["text"].as_str()).collect()
}

/// The modal of `/project create` says what is wrong with what was filled in, and then does it.
async fn what_a_command_lacks(way: Way) {
    let team = Team::new(way).await;
    team.types(&team.ann, "/project create").await;
    let view = team.slack.opened(&team.ann, "/project create").await;
    assert!(fields(&view).starts_with(&["Name", "Repo"]), "{:?}", fields(&view));
    team.ann.submit(&[("Name", "Not A Name")]).await.ok();
    let errors = team.slack.modal_errors(&team.ann);
    assert!(errors["name"].as_str().is_some_and(|e| !e.is_empty()), "{errors}");
    team.ann.submit(&[("Name", "demo"), ("Memory", "lots")]).await.ok();
    let errors = team.slack.modal_errors(&team.ann);
    assert!(errors["memory"].is_string() && errors["name"].is_null(), "{errors}");
    team.ann.submit(&[("Name", "demo"), ("Env", "A=1 B=two")]).await.ok();
    assert!(team.slack.modal(&team.ann).is_none(), "it was taken");
    team.sees(&team.general, "Created the project `demo`").await;
    // What was typed already stands in it, and the menus hold what there is.
    team.types(&team.ann, "/project create").await;
    team.slack.opened(&team.ann, "/project create").await;
    team.ann.submit(&[("Name", "demo")]).await.ok();
    let errors = team.slack.modal_errors(&team.ann);
    assert!(errors["name"].as_str().is_some_and(|e| e.contains("already have a project")), "{errors}");
    team.ann.submit(&[("Name", "shop")]).await.ok();
    team.sees(&team.general, "Created the project `shop`").await;
    team.types(&team.ann, "/ask shop").await;
    let view = team.slack.opened(&team.ann, "/ask").await;
    let select = &view["blocks"][0]["element"];
    assert_eq!(select["type"], "static_select", "{view}");
    assert_eq!((select["options"].as_array().map(Vec::len), &select["initial_option"]["value"]), (Some(2), &json!("shop")));
    team.ann.submit(&[("Message", "say 2 words")]).await.ok();
    let root = team.sees(&team.general, "asks:").await;
    team.slack.reply(&team.general, &root.ts, "w1 w2").await;
    assert!(!team.slack.transcript(&team.general).contains('✓'), "how its agent was started is no message of the channel");
    // One that is closed is said to have done nothing.
    team.types(&team.ann, "/project rename demo").await;
    team.slack.opened(&team.ann, "/project rename").await;
    team.ann.close().await.expect("the program is told").ok();
    team.slack.whisper(&team.ann, "nothing was done").await;
    team.done().await;
}

#[tokio::test]
async fn what_a_command_lacks_over_sockets() {
    what_a_command_lacks(Way::Socket).await;
}

#[tokio::test]
async fn what_a_command_lacks_over_http() {
    what_a_command_lacks(Way::Http).await;
}

/// Slack lets no modal be opened for a while: there is a button before that is over, which opens it later.
#[tokio::test]
async fn a_modal_that_slack_holds_up_is_a_button() {
    let team = Team::new(Way::Socket).await;
    team.slack.trouble("views.open", 1, &Trouble::Limited(3));
    let since = std::time::Instant::now();
    team.types(&team.ann, "/project create").await;
    let offered = |s: &State| s.seen_by(&team.ann.id).into_iter().find(|m| m.button("Fill in…").is_some());
    let form = team.slack.wait("a button", offered).await;
    assert!(since.elapsed() < std::time::Duration::from_secs(2), "{:?}", since.elapsed());
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    team.ann.click(&form.ts, "Fill in…").await.ok();
    team.slack.opened(&team.ann, "/project create").await;
    assert_eq!(team.slack.count("views.open").calls, 2, "none with a trigger that has had its time");
    team.done().await;
}

/// Whom it is shared with is chosen from all people, whoever had it before.
#[tokio::test]
async fn a_person_is_chosen() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    let eve = team.slack.user("evelyn");
    for (n, person) in [&team.bob, &eve].into_iter().enumerate() {
        team.types(&team.ann, "/project share demo").await;
        let view = team.slack.opened(&team.ann, "/project share").await;
        assert_eq!(fields(&view), ["Name", "User", "Role"]);
        team.ann.submit(&[("User", &person.id)]).await.ok();
        let told =
            |s: &State| s.seen_channel(&team.general).iter().filter(|m| m.text.contains("may now use the project")).count();
        team.slack.wait("a new member", |s| (told(s) > n).then_some(())).await;
    }
    team.done().await;
}

/// A secret is typed into a modal, or comes as a file, and is seen nowhere after that.
#[tokio::test]
async fn secrets_are_typed_into_modals_alone() {
    let team = Team::new(Way::Socket).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/project secret set demo API_KEY").await;
    let view = team.slack.opened(&team.ann, "Set the secret API_KEY…").await;
    let hint = view["blocks"].to_string();
    assert!(hint.contains("Slack shows what you type here"), "{hint}");
    team.ann.submit(&[]).await.ok();
    assert!(team.slack.modal_errors(&team.ann)["value"].is_string(), "nothing was filled in");
    team.ann.submit(&[("Value of API_KEY", VALUE)]).await.ok();
    team.slack.whisper(&team.ann, "Set `API_KEY` for the project `demo`").await;
    // Longer than an input holds.
    team.types(&team.ann, "/secret set KUBECONFIG").await;
    team.slack.opened(&team.ann, "Set the secret…").await;
    let long = format!("{VALUE}\n").repeat(1_000);
    team.ann.submit_with(&[("Value of KUBECONFIG, as a file", Put::File("kubeconfig.txt", long.as_bytes()))]).await.ok();
    team.slack.whisper(&team.ann, "Set `KUBECONFIG` for all of your projects").await;
    team.types(&team.ann, "/secret list").await;
    team.slack.whisper(&team.ann, "KUBECONFIG").await;
    // One typed into the channel is refused, and not repeated.
    team.types(&team.ann, &format!("/secret set OTHER {VALUE}")).await;
    team.slack.wait("a refusal", |s| s.seen_by(&team.ann.id).into_iter().find(|m| m.text.contains(":warning:"))).await;
    team.slack.look(|s| {
        let told = s.calls.iter().filter(|c| c.args.to_string().contains(VALUE)).count();
        assert_eq!(told, 0, "the value was sent to Slack");
    });
    assert!(!team.bot.output().contains(VALUE));
    for file in ["gaggle.redb", "inbox"] {
        let found = std::fs::read(team.bot.data().join(file)).unwrap_or_default();
        assert!(!found.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()), "the value is in {file}");
    }
    team.done().await;
}

/// What destroys asks first: typed, in a modal.
#[tokio::test]
async fn a_deletion_asks_first() {
    let team = Team::new(Way::Http).await;
    team.create(&team.ann, "demo").await;
    team.types(&team.ann, "/project delete demo").await;
    let view = team.slack.opened(&team.ann, "Are you sure?").await;
    assert!(view["blocks"].to_string().contains("for good"), "{view}");
    team.ann.close().await.expect("the program is told").ok();
    team.slack.whisper(&team.ann, "nothing was done").await;
    team.types(&team.ann, "/project delete demo").await;
    team.slack.opened(&team.ann, "Are you sure?").await;
    team.ann.submit(&[]).await.ok();
    team.sees(&team.general, "Deleted the project `demo`").await;
    // Without a click there is no modal: said to the bot, it asks with buttons.
    team.create(&team.ann, "shop").await;
    team.ann.mention(&team.general, "/project delete shop");
    let asked = team.slack.whisper(&team.ann, "Delete the project `shop`?").await;
    team.ann.click(&asked.ts, "Cancel").await.ok();
    team.slack
        .wait("its end", |s| {
            let all = s.seen_by(&team.ann.id);
            (all.iter().filter(|m| m.text.contains("nothing was done")).count() == 2).then_some(())
        })
        .await;
    team.ann.click(&asked.ts, "Yes, go on").await.ok();
    team.slack.whisper(&team.ann, "is not open any longer").await;
    team.ann.mention(&team.general, "/project delete shop");
    let asked = team
        .slack
        .wait("the question", |s| {
            s.seen_by(&team.ann.id).into_iter().rev().find(|m| m.text.contains("`shop`?") && m.ts != asked.ts)
        })
        .await;
    team.ann.click(&asked.ts, "Yes, go on").await.ok();
    team.sees(&team.general, "Deleted the project `shop`").await;
    team.done().await;
}
