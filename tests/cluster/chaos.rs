//! Trouble between Gaggle and the API server: what passes is got over, what does not is told in a sentence.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::cluster::{Corner, Nodes, PATIENCE, corner, status, until};
use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::tester::Tester;

/// Until a command ends whose requests do not succeed: all their tries, and a short one to take back what was begun.
const BOUND: Duration = Duration::from_secs(28);

async fn behind_a_proxy(more: &str) -> Option<(Corner, Proxy, Tester)> {
    let corner = corner(Nodes::Pretend).await?;
    let proxy = Proxy::start(corner.kubeconfig()).await;
    let mut t = corner.prepare_at(&proxy.kubeconfig(), more);
    t.launch();
    t.ready().await;
    t.say("/project create demo").await.ok();
    Some((corner, proxy, t))
}

async fn gone(corner: Corner, t: Tester) {
    t.say("/project delete demo --yes").await.ok();
    corner.empty().await;
    t.done().await;
}

fn any(request: &Request) -> bool {
    !request.is_watch()
}

fn write(request: &Request) -> bool {
    request.is_write()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_needs_few_requests() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    proxy.requests();
    t.say("/project activate demo").await.ok();
    let first = proxy.requests();
    assert!(first.len() <= 3 && first.iter().filter(|r| r.is_write()).count() <= 2, "{first:#?}");
    t.say("/project deactivate demo").await.ok();
    assert!(proxy.requests().len() <= 2);
    t.say("/project activate demo").await.ok();
    let second = proxy.requests();
    assert!(second.len() <= 3, "{second:#?}");
    t.say("/project create other").await.ok();
    let made = proxy.requests();
    assert!(made.len() <= 10, "{made:#?}");
    t.say("/project delete other --yes").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_too_much_to_do() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    for (code, after) in [(429, 1), (503, 0), (504, 0), (500, 0), (409, 0)] {
        proxy.fail(2, Fault::Answer(code, after), any);
        let before = proxy.faults();
        t.say("/project activate demo").await.ok();
        assert!(proxy.faults() > before, "{code}");
        proxy.mend();
        proxy.fail(2, Fault::Answer(code, after), write);
        t.say("/project deactivate demo").await.ok();
        proxy.mend();
    }
    proxy.fail(usize::MAX, Fault::Late(Duration::from_millis(700)), any);
    t.say("/project activate demo").await.ok();
    proxy.mend();
    t.say("/project deactivate demo").await.ok();
    // It stays so: within its bounds, the command ends.
    proxy.fail(usize::MAX, Fault::Answer(503, 0), |r| r.method == "PATCH");
    proxy.requests();
    let begun = Instant::now();
    let said = t.say("/project activate demo").await;
    let tries = proxy.requests().len();
    assert!(
        !said.ok && said.text().contains("overloaded (HTTP 503), so starting the project `demo` did not succeed"),
        "{}",
        said.text()
    );
    assert!(begun.elapsed() < BOUND && tries < 40, "{tries} tries in {:?}", begun.elapsed());
    proxy.mend();
    assert_eq!((status(&t, "demo").await, corner.replicas().await), ("failed".to_owned(), 0));
    t.say("/project activate demo").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_at_all() {
    let Some((corner, mut proxy, t)) = behind_a_proxy("image = \"play.gaggle.test/slow-ready:1\"").await else { return };
    let made = corner.objects().await;
    proxy.away().await;
    let begun = Instant::now();
    let other = t.in_conversation("elsewhere").begin("/project create other").await;
    let said = t.say("/project activate demo").await;
    assert!(!said.ok && said.text().contains("Connection refused") && said.text().contains("did not succeed"), "{}", said.text());
    let other = other.end().await;
    assert!(!other.ok && other.text().contains("creating the project `other` did not succeed"), "{}", other.text());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    proxy.back().await;
    assert_eq!(corner.objects().await, made);
    // It goes while a pod is waited for, and comes back.
    let start = t.begin("/project activate demo").await;
    start.event("the pod", |e| e["step"] == "start").await;
    proxy.away().await;
    proxy.back().await;
    start.end().await.ok();
    assert_eq!(t.say("/project list").await.data("projects").as_array().map(Vec::len), Some(1));
    gone(corner, t).await;
}

/// What cannot be taken back since nobody answers is taken back when somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_before_a_start_fails() {
    let more = "image = \"play.gaggle.test/never-ready:1\"\nactivation_timeout = \"5s\"";
    let Some((corner, mut proxy, t)) = behind_a_proxy(more).await else { return };
    let made = corner.objects().await;
    let start = t.begin("/project activate demo").await;
    start.event("the container", |e| e["step"] == "start" && e["state"] == "done").await;
    proxy.away().await;
    let said = start.end().await;
    assert!(!said.ok && said.text().contains("Gaggle does it as soon as the cluster answers"), "{}", said.text());
    assert_eq!(corner.replicas().await, 1);
    proxy.back().await;
    let deadline = Instant::now() + PATIENCE;
    while corner.objects().await != made || corner.replicas().await != 0 {
        assert!(Instant::now() < deadline, "{:?}", corner.objects().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_no_longer_good() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    proxy.fail(usize::MAX, Fault::Answer(401, 0), |_| true);
    let begun = Instant::now();
    let said = t.say("/project activate demo").await;
    assert!(!said.ok && said.text().contains("no longer accepts Gaggle's credentials"), "{}", said.text());
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    proxy.mend();
    t.say("/project activate demo").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_end() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    for _ in 0..3 {
        let start = t.begin("/project activate demo").await;
        start.event("a step", |e| e["type"] == "progress").await;
        proxy.cut_watches();
        start.end().await.ok();
        t.say("/project deactivate demo").await.ok();
    }
    // Forgotten, all of them and twice.
    proxy.fail(16, Fault::Expired, Request::is_watch);
    proxy.cut_watches();
    t.say("/project activate demo").await.ok();
    assert!(proxy.faults() > 0);
    until(&t, "demo", "active").await;
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_say_nothing() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    proxy.still_watches();
    let begun = Instant::now();
    t.say("/project activate demo").await.ok();
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    proxy.mend();
    until(&t, "demo", "active").await;
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_and_says_nothing() {
    let Some((corner, proxy, t)) = behind_a_proxy("").await else { return };
    proxy.fail(1, Fault::Silence, write);
    let begun = Instant::now();
    t.say("/project activate demo").await.ok();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    t.say("/project deactivate demo").await.ok();
    // It stays so.
    proxy.fail(usize::MAX, Fault::Silence, any);
    let begun = Instant::now();
    let said = t.say("/project activate demo").await;
    assert!(!said.ok && said.text().contains("took too long to answer"), "{}", said.text());
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    proxy.mend();
    t.say("/project activate demo").await.ok();
    gone(corner, t).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_being_ended() {
    let Some((corner, _proxy, t)) = behind_a_proxy("").await else { return };
    corner.end_namespace().await;
    t.say("/project activate demo").await.ok().has("is active");
    assert_eq!(corner.replicas().await, 1);
    gone(corner, t).await;
}
