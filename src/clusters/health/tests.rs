//! The watch over a cluster, against a stand-in, in time that stands still.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use futures_util::stream;
use http::Response;
use kube::Client;

use super::*;
use crate::clusters::fixtures::TOKEN;

/// Answers every request with a status code that can be changed; a watch ends after a minute.
#[derive(Clone)]
struct Cluster {
    watch: Arc<AtomicU16>,
    other: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Cluster {
    fn new(watch: u16, other: u16) -> Self {
        Self { watch: Arc::new(watch.into()), other: Arc::new(other.into()), asked: Arc::default() }
    }

    fn set(&self, watch: u16) {
        self.watch.store(watch, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn connection(&self) -> Connection {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move {
                cluster.asked.fetch_add(1, Ordering::SeqCst);
                let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
                let code = if watches { &cluster.watch } else { &cluster.other }.load(Ordering::SeqCst);
                let body = match (watches, code) {
                    (true, 200) => {
                        let end = stream::once(async {
                            sleep(Duration::from_secs(60)).await;
                            Ok::<_, Infallible>(bytes_of(""))
                        });
                        axum::body::Body::from_stream(end)
                    }
                    _ => axum::body::Body::from(format!(
                        r#"{{"kind":"Status","status":"Failure","reason":"x","code":{code},"message":"cannot do it, {TOKEN}"}}"#
                    )),
                };
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        Connection::around(Client::new(service, "default"), vec![TOKEN.into()])
    }
}

fn bytes_of(text: &'static str) -> axum::body::Bytes {
    axum::body::Bytes::from_static(text.as_bytes())
}

async fn until(changes: &mut watch::Receiver<State>, wanted: impl Fn(&Reach) -> bool) -> State {
    let waiting = changes.wait_for(|state| wanted(&state.reach));
    timeout(Duration::from_secs(3600), waiting).await.expect("in time").expect("it lives").clone()
}

fn is_away(reach: &Reach) -> bool {
    matches!(reach, Reach::Unreachable { .. })
}

#[tokio::test(start_paused = true)]
async fn what_goes_and_comes_back_is_told() {
    let cluster = Cluster::new(200, 200);
    let health = Health::start("demo".into(), cluster.connection(), None);
    assert_eq!(health.now(), State { reach: Reach::Unknown, expiring: None });
    let mut changes = health.changes();
    until(&mut changes, |reach| *reach == Reach::Reachable).await;
    cluster.asked();
    sleep(Duration::from_secs(600)).await;
    let asked = cluster.asked();
    assert!((5..=11).contains(&asked), "{asked} requests in ten minutes");
    cluster.set(503);
    let away = until(&mut changes, is_away).await;
    let Reach::Unreachable { since, why } = away.reach else { panic!() };
    assert!(why.contains("503"), "{why}");
    sleep(Duration::from_secs(3600)).await;
    assert!(matches!(health.now().reach, Reach::Unreachable { since: still, .. } if still == since));
    let asked = cluster.asked();
    assert!(asked < 40, "{asked} requests in an hour of absence");
    cluster.set(200);
    until(&mut changes, |reach| *reach == Reach::Reachable).await;
    drop(health);
    sleep(Duration::from_secs(1)).await;
    cluster.asked();
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(cluster.asked(), 0);
    assert!(changes.changed().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn one_break_is_no_absence() {
    let cluster = Cluster::new(200, 200);
    let health = Health::start("demo".into(), cluster.connection(), None);
    let mut changes = health.changes();
    until(&mut changes, |reach| *reach == Reach::Reachable).await;
    cluster.set(500);
    while cluster.asked() == 0 {
        sleep(Duration::from_millis(50)).await;
    }
    cluster.set(200);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(health.now().reach, Reach::Reachable);
    assert!(!changes.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_watch_asks_now_and_then() {
    for other in [200, 403] {
        let cluster = Cluster::new(403, other);
        let health = Health::start("demo".into(), cluster.connection(), None);
        let mut changes = health.changes();
        until(&mut changes, |reach| *reach == Reach::Reachable).await;
        cluster.asked();
        sleep(Duration::from_secs(3600)).await;
        let asked = cluster.asked();
        assert!((40..=100).contains(&asked), "{asked} requests in an hour");
        assert_eq!(health.now().reach, Reach::Reachable);
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_no_longer_taken_are_told_and_not_shown() {
    let cluster = Cluster::new(401, 401);
    let health = Health::start("demo".into(), cluster.connection(), None);
    let away = until(&mut health.changes(), is_away).await;
    let told = format!("{away:?}");
    assert!(told.contains("not accepted") && !told.contains(TOKEN), "{told}");
}

#[test]
fn the_last_week_is_told() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let at = |text: &str| text.parse::<Timestamp>().ok();
    for (expires, told) in [
        (None, false),
        (at("2026-01-08T00:00:01Z"), false),
        (at("2026-01-07T23:59:59Z"), true),
        (at("2025-12-01T00:00:00Z"), true),
        (Some(Timestamp::MAX), false),
    ] {
        assert_eq!(expiring(expires, now).is_some(), told, "{expires:?}");
    }
}
