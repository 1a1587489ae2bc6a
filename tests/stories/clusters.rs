//! Clusters and services where there is no cluster: what is refused, and that no credential is ever repeated.

use serde_json::json;

use crate::support::tester::{SECRET, Tester};

async fn start() -> Tester {
    let mut t = Tester::prepare(&[], &[]);
    let catalogue = t.folder().join("catalogue").display().to_string();
    t.set("GAGGLE_SERVICES__CATALOGUE", &catalogue);
    t.launch();
    t.ready().await;
    t
}

fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: {server}\nusers:\n- name: u\n  user:\n    {user}\n\
         contexts:\n- name: x\n  context: {{cluster: c, user: u}}\n"
    )
}

#[tokio::test]
async fn credentials_that_are_refused_are_told_by_their_place() {
    let t = start().await;
    let token = format!("token: {SECRET}-token-of-some-length");
    for (kubeconfig, place, why) in [
        (kubeconfig("https://127.0.0.1:6443", &token), "", "loopback"),
        (kubeconfig("https://169.254.169.254", &token), "", "metadata"),
        (kubeconfig("http://example.com", &token), "line 6, column 13", "https"),
        (kubeconfig("https://example.com", "exec: {command: rm, args: [-rf, /]}"), "line 10, column 5", "exec"),
        (kubeconfig("https://example.com", "tokenFile: /etc/passwd"), "line 10, column 5", "tokenFile"),
        ("- a\n- b: [".to_owned(), "line", ""),
        ("x".to_owned(), "line 1, column 1", "kubeconfig"),
    ] {
        let asked = t.begin("/cluster add prod").await;
        t.operator().fill(&asked.form().await, json!({ "kubeconfig": kubeconfig })).await.end().await;
        let said = asked.end().await.refused();
        assert!(said.text().contains(place) && said.text().contains(why), "{kubeconfig}\n{}", said.text());
    }
    // By fields, and neither of both.
    for (values, why) in [
        (json!({}), "Fill in a kubeconfig"),
        (json!({ "server": "https://localhost:1", "token": format!("{SECRET}-token-of-some-length") }), "loopback"),
        (json!({ "server": "https://example.com" }), "token"),
        (json!({ "kubeconfig": "x", "server": "https://example.com" }), "one of both"),
    ] {
        let asked = t.begin("/cluster add prod").await;
        t.operator().fill(&asked.form().await, values.clone()).await.end().await;
        let said = asked.end().await;
        assert!(!said.ok && said.text().contains(why), "{values}\n{}", said.text());
    }
    t.user("ann").say("/cluster add prod --insecure-skip-tls-verify").await.refused().has("role admin");
    t.say("/cluster add default").await.refused();
    t.say("/cluster list").await.ok().has("no cluster");
    t.say("/infra scan").await.refused().has("/cluster add");
    t.say("/service deploy shop:web").await.refused().has("/cluster add");
    t.done().await;
}

#[tokio::test]
async fn one_of_several_contexts_is_asked_for() {
    let t = start().await;
    let several = kubeconfig("https://127.0.0.1:1", &format!("token: {SECRET}-token-of-some-length"))
        + "- name: y\n  context: {cluster: c, user: u}\ncurrent-context: y\n";
    let asked = t.begin("/cluster add prod").await;
    let first = asked.form().await;
    let filled = t.operator().fill(&first, json!({ "kubeconfig": several })).await;
    let form = asked.event("the contexts", |e| e["type"] == "form" && e["form"] != first).await;
    assert_eq!(form["fields"][0]["options"], json!(["y", "x"]), "{form}");
    t.operator().fill(form["form"].as_str().unwrap(), json!({ "context": "x" })).await.end().await;
    // It is a loopback address all the same.
    asked.end().await.refused().has("loopback");
    filled.end().await;
    t.done().await;
}

#[tokio::test]
async fn the_catalogue_is_what_its_folders_and_people_say() {
    let t = start().await;
    t.say("/service catalogue").await.ok().has("The catalogue is empty");
    std::fs::create_dir(t.folder().join("catalogue")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(t.folder().join("catalogue").join(name), text).unwrap();
    let shop = "services:\n  web:\n    image: shop/web:${TAG:-1}\n    environment: {TOKEN: '${TOKEN:?}', MODE: fast}\n    depends_on: [db]\n  \
                db: {image: 'postgres:16', environment: {POSTGRES_PASSWORD: open-sesame}}\n";
    write("shop.yaml", shop);
    write("broken.yaml", "services:\n  web:\n    imagee: x\n");
    let listed = t.say("/service catalogue").await.ok().has("| shop:web | shop/web:1 |").has("broken.yaml:3:5");
    assert!(listed.text().contains("| shop:db | postgres:16 |"), "{}", listed.text());
    t.say("/service catalogue --infra").await.ok().has("shop:db").has_not("shop:web");
    t.say("/service show shop:web").await.ok().has("| TOKEN |  | required, secret |").has("| MODE | fast |  |");
    t.say("/service show shop:db").await.ok().has("| POSTGRES_PASSWORD | set, not shown | secret |").has_not("open-sesame");
    t.say("/service show shop:nope").await.refused().has("`db`, `web`");
    t.say("/service show shp").await.refused().has("Did you mean `shop`?");

    // What a member adds is theirs alone, what an admin adds is everybody's.
    let asked = t.user("ann").begin("/service add mine").await;
    t.user("ann").fill(&asked.form().await, json!({ "file": shop })).await.end().await.ok();
    asked.end().await.ok().has("`mine:db`, `mine:web`");
    t.user("ann").say("/service show mine:web").await.ok();
    t.user("bob").say("/service show mine:web").await.refused();
    let asked = t.begin("/service add mine").await;
    t.operator().fill(&asked.form().await, json!({ "file": "services: {a: {image: a}}" })).await.end().await.ok();
    asked.end().await.ok().has("Replaced");
    let asked = t.user("ann").begin("/service add bad").await;
    t.user("ann").fill(&asked.form().await, json!({ "file": "services:\n  a: {image: 5}\n" })).await.end().await;
    asked.end().await.refused().has("bad.yaml:2:");
    for url in ["https://127.0.0.1/a", "https://[::1]/a", "https://10.0.0.1/a"] {
        let said = t.user("ann").say(&format!("/service add far {url}")).await;
        assert!(!said.ok && said.text().contains("not connected to"), "{}", said.text());
    }
    t.done().await;
}
