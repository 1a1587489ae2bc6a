//! A service's life told in chat: in Slack by modals, in Discord by options, modals and buttons.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;

use crate::discord::room::{FAST, Room};
use crate::slack::team::Team;
use crate::support::cluster::{Corner, Nodes, corner};
use crate::support::discord::{Rules, Shown};
use crate::support::slack::Put;
use crate::support::tester::SECRET;
use crate::support::{discord, slack};

const FILE: &str = r#"
services:
  web:
    image: registry.test/shop/web:1.0
    ports: ["8080:80"]
    environment:
      LOG_LEVEL: ${LOG_LEVEL:-info}
      API_TOKEN: ${API_TOKEN:?the token of the payment service}
"#;

/// A catalogue with that file, and what the configuration has to say.
fn catalogue() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.yaml"), FILE).unwrap();
    let path = folder.path().display().to_string();
    (folder, format!("[clusters]\nallow_addresses = [\"127.0.0.0/8\"]\n[services]\ncatalogue = [\"{path}\"]\n"))
}

async fn runs(corner: &Corner, namespace: &str) -> bool {
    Api::<Deployment>::namespaced(corner.client.clone(), namespace).get_opt("web").await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn in_slack() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let (_folder, sections) = catalogue();
    let team = Team::with(slack::Way::Socket, "", &sections).await;
    let namespace = format!("{}slack", corner.prefix);
    let kubeconfig = std::fs::read(corner.kubeconfig()).unwrap();

    team.types(&team.ann, "/cluster add prod").await;
    team.slack.opened(&team.ann, "Add the cluster prod").await;
    team.ann.submit_with(&[("Kubeconfig, as a file", Put::File("kubeconfig", &kubeconfig))]).await.ok();
    team.slack.whisper(&team.ann, "Added the cluster `prod`").await;

    team.types(&team.ann, &format!("/service deploy shop:web --as web --namespace {namespace}")).await;
    team.slack.opened(&team.ann, "Deploy shop:web as web…").await;
    team.ann.submit(&[("LOG_LEVEL", "debug")]).await.ok();
    assert!(team.slack.modal_errors(&team.ann).to_string().len() > 4, "the token is wanted");
    team.ann.submit(&[("LOG_LEVEL", "debug"), ("API_TOKEN", SECRET)]).await.ok();
    let asked = team.slack.whisper(&team.ann, "Deploy `web` to").await;
    team.slack.whisper(&team.ann, "+ Deployment web").await;
    assert!(!runs(&corner, &namespace).await, "nothing before it was confirmed");
    team.ann.click(&asked.ts, "Yes, go on").await.ok();
    team.sees(&team.general, "Deployed `web`").await;
    assert!(runs(&corner, &namespace).await);

    team.types(&team.ann, "/service delete web").await;
    team.slack.opened(&team.ann, "Are you sure?").await;
    team.ann.submit(&[]).await.ok();
    team.sees(&team.general, "Deleted the release `web`").await;
    assert!(!runs(&corner, &namespace).await);
    let told = team.slack.look(|s| s.calls.iter().filter(|c| c.args.to_string().contains(SECRET)).count());
    assert_eq!(told, 0, "the value was sent to Slack");
    assert!(!team.bot.output().contains(SECRET));
    team.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_discord() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let (_folder, sections) = catalogue();
    let room = Room::with(discord::Way::Gateway, Rules::default(), "", &sections, FAST).await;
    let namespace = format!("{}discord", corner.prefix);
    let kubeconfig = std::fs::read(corner.kubeconfig()).unwrap();

    let file = [("file", "kubeconfig", kubeconfig.as_slice())];
    room.ann.run_with(&room.channel, "cluster add", &[("name", "prod")], &file).await.expect("it can be sent").ok();
    room.discord.whisper(&room.ann, "Added the cluster `prod`").await;

    let command = format!("/service deploy shop:web --as web --namespace {namespace}");
    let asked = room.ann.command(&room.channel, &command).await.ok();
    if !matches!(&asked.shown, Shown::Modal(_)) {
        let asked = room.discord.whisper(&room.ann, "Deploy `shop:web`").await;
        room.ann.click(&room.channel, &asked.id, "Fill in…").await.ok();
    }
    room.ann.submit(&[("API_TOKEN", SECRET)]).await.ok();
    let asked = room.discord.whisper(&room.ann, "Deploy `web` to").await;
    assert!(!runs(&corner, &namespace).await, "nothing before it was confirmed");
    room.ann.click(&room.channel, &asked.id, "Yes, go on").await.ok();
    room.discord.sees(&room.channel, "Deployed `web`").await;
    assert!(runs(&corner, &namespace).await);

    room.ann.command(&room.channel, "/service delete web").await.ok();
    let asked = room.discord.whisper(&room.ann, "Delete the release `web`").await;
    room.ann.click(&room.channel, &asked.id, "Yes, go on").await.ok();
    room.discord.sees(&room.channel, "Deleted the release `web`").await;
    assert!(!runs(&corner, &namespace).await);
    assert!(!room.bot.output().contains(SECRET));
    room.done().await;
}
