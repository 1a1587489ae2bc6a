//! Shards against a Discord whose connections the tests drive by hand.
//!
//! Invariant: where waiting is tested, time stands still.

mod discord;
mod ends;

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use discord::{Discord, INTERVAL, TOKEN, within};

pub use discord::tls;

async fn live(gateway: &Gateway, count: u32) {
    within(gateway.state().wait_for(|state| state.live == count)).await.unwrap();
}

/// Until as many events were handed on.
async fn taken(discord: &Discord, count: usize) {
    within(async {
        while discord.kinds().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_is_begun_with_what_it_needs_and_no_more() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.end().await;
    assert_eq!(end.path, "/?v=10&encoding=json");
    let properties = json!({ "os": std::env::consts::OS, "browser": "gaggle", "device": "gaggle" });
    let data = json!({ "token": TOKEN, "properties": properties, "intents": 33281, "shard": [0, 1], "compress": false });
    assert_eq!(end.hear().await, json!({ "op": 2, "d": data }));
    assert!(tokio::time::timeout(Duration::from_millis(30), gateway.ready()).await.is_err());
    assert!(gateway.sessions().is_empty());
    end.ready(&discord.url, "s1").await;
    assert_eq!(within(gateway.ready()).await, Ok(()));
    assert_eq!(*gateway.state().borrow(), State { live: 1, given_up: None });
    end.event(2, "NEW_THING").await;
    end.say(json!({ "op": 0, "s": 3, "t": "EMPTY", "d": null })).await;
    taken(&discord, 3).await;
    let told = discord.taken.lock().unwrap().clone();
    assert_eq!((told[0].0.as_str(), &told[0].1["user"]["id"]), ("READY", &json!("1")));
    assert_eq!(told[1..], [("NEW_THING".to_owned(), json!({ "n": 2 })), ("EMPTY".to_owned(), json!(null))]);
    let resume_url = format!("{}/resume", discord.url);
    assert_eq!(gateway.sessions(), [Resumable { shard: 0, session_id: "s1".into(), resume_url, seq: 3 }]);
    assert!(!format!("{:?}", discord.options()).contains(TOKEN));
}

#[tokio::test(start_paused = true)]
async fn it_beats_first_somewhere_in_the_interval_and_then_in_each() {
    let mut firsts = Vec::new();
    for _ in 0..4 {
        let mut discord = Discord::open().await;
        let _gateway = discord.start();
        let mut end = discord.begun().await;
        end.event(5, "A").await;
        let since = Instant::now();
        assert_eq!(end.hear().await, json!({ "op": 1, "d": 5 }));
        firsts.push(since.elapsed());
        assert!(since.elapsed() <= INTERVAL + Duration::from_millis(5), "{:?}", since.elapsed());
        for _ in 0..3 {
            end.say(json!({ "op": 11 })).await;
            let since = Instant::now();
            assert_eq!(end.hear().await["op"], 1);
            assert!(since.elapsed().abs_diff(INTERVAL) < Duration::from_millis(10), "{:?}", since.elapsed());
        }
    }
    firsts.sort();
    assert!(firsts[3] - firsts[0] > Duration::from_millis(20), "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_asked_for_comes_at_once_and_not_without_end() {
    let mut discord = Discord::open().await;
    let _gateway = discord.start();
    let mut end = discord.begun().await;
    end.event(2, "A").await;
    let since = Instant::now();
    end.say(json!({ "op": 1, "d": null })).await;
    assert_eq!(end.hear().await, json!({ "op": 1, "d": 2 }));
    assert!(since.elapsed() < Duration::from_millis(20));
    for _ in 0..300 {
        end.say(json!({ "op": 1 })).await;
    }
    end.event(3, "B").await;
    taken(&discord, 3).await;
    let mut answers = 0;
    while end.hear().await["d"] == 2 {
        answers += 1;
    }
    assert!((90..120).contains(&answers), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_acknowledgements_is_closed_and_its_session_resumed() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    end.event(7, "A").await;
    let since = Instant::now();
    assert_eq!(end.hear().await["op"], 1);
    assert_eq!(end.hear().await, 4000, "neither 1000 nor 1001, which end the session");
    assert!(since.elapsed() <= 2 * INTERVAL + Duration::from_secs(1));
    let mut end = discord.resumed("s1", 7).await;
    assert_eq!(end.path, "/resume?v=10&encoding=json");
    end.event(8, "RESUMED").await;
    live(&gateway, 1).await;
}

#[tokio::test]
async fn what_a_cut_kept_back_comes_with_the_resumption() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    end.event(2, "A").await;
    taken(&discord, 2).await;
    // Half of a frame of 40 bytes.
    end.raw(&[0x81, 40]).await;
    end.raw(br#"{"op":0,"s":3,"t":"B""#).await;
    drop(end);
    let mut end = discord.resumed("s1", 2).await;
    live(&gateway, 0).await;
    for (seq, kind) in [(3, "B"), (4, "C")] {
        end.event(seq, kind).await;
    }
    drop(end);
    let mut end = discord.resumed("s1", 4).await;
    end.event(5, "RESUMED").await;
    live(&gateway, 1).await;
    assert_eq!(discord.kinds(), ["READY", "A", "B", "C", "RESUMED"]);
    assert!(tokio::time::timeout(Duration::from_millis(50), gateway.gap()).await.is_err(), "nothing was lost");
}

#[tokio::test]
async fn a_frame_without_measure_is_not_taken_in() {
    let mut discord = Discord::open().await;
    let _gateway = discord.start();
    let mut end = discord.begun().await;
    end.raw(&[0x81, 127, 0, 0, 0, 0, 2, 0, 0, 0]).await;
    end.raw(&[b' '; 64]).await;
    discord.resumed("s1", 1).await;
}

#[tokio::test]
async fn what_cannot_be_understood_ends_nothing() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    for broken in ["nothing", r#"{"op":0,"s":2,"t":"A","d":{"#, r#"{"op":0,"s":2,"t":null,"d":{}}"#, r#"{"op":77}"#, "[]"] {
        end.send(Message::text(broken)).await;
    }
    end.send(Message::binary(vec![1, 2])).await;
    end.send(Message::Ping(Default::default())).await;
    end.event(3, "B").await;
    taken(&discord, 2).await;
    assert_eq!(discord.kinds(), ["READY", "B"]);
    assert_eq!((gateway.state().borrow().live, gateway.sessions()[0].seq), (1, 3));
}

#[tokio::test]
async fn an_event_counts_once_it_was_taken_and_whoever_takes_it_may_be_slow() {
    let mut discord = Discord::open().await;
    let gateway: Arc<OnceLock<Gateway>> = Arc::default();
    let (inner, seen) = (gateway.clone(), Arc::new(OnceLock::new()));
    let noted = seen.clone();
    let sink: Sink = Arc::new(move |dispatch: Dispatch| {
        if dispatch.kind == "SLOW" {
            std::thread::sleep(Duration::from_millis(250));
            noted.set(inner.get().unwrap().sessions()[0].seq).unwrap();
        }
    });
    assert!(gateway.set(start(discord.options(), sink, None, discord.stop.clone())).is_ok());
    let mut end = within(discord.ends.recv()).await.unwrap();
    end.say(json!({ "op": 10, "d": { "heartbeat_interval": 100 } })).await;
    assert_eq!(end.hear().await["op"], 2);
    end.ready(&discord.url, "s1").await;
    assert_eq!(end.hear().await, json!({ "op": 1, "d": 1 }));
    // The acknowledgement waits in the socket while two heartbeats are due.
    end.event(2, "SLOW").await;
    end.say(json!({ "op": 11 })).await;
    assert_eq!(end.hear().await, json!({ "op": 1, "d": 2 }), "it is alive");
    assert_eq!((seen.get(), gateway.get().unwrap().sessions()[0].seq), (Some(&1), 2));
    discord.stop.cancel();
}

#[tokio::test]
async fn an_event_that_breaks_its_taker_is_left_out() {
    let mut discord = Discord::open().await;
    let sink: Sink = Arc::new(|dispatch: Dispatch| assert_ne!(dispatch.kind, "BAD"));
    let gateway = start(discord.options(), sink, None, discord.stop.clone());
    let mut end = discord.begun().await;
    end.event(2, "BAD").await;
    end.event(3, "A").await;
    end.say(json!({ "op": 1 })).await;
    assert_eq!(end.hear().await, json!({ "op": 1, "d": 3 }));
    assert_eq!(gateway.state().borrow().live, 1);
}

#[tokio::test(start_paused = true)]
async fn shards_of_one_bucket_begin_five_seconds_apart() {
    let mut discord = Discord::open().await;
    let gateway = discord.start_with(Options { shards: 3, ..discord.options() }, None);
    let (mut ends, mut begun) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut end = discord.end().await;
        begun.push((end.hear().await["d"]["shard"].clone(), Instant::now()));
        end.ready(&discord.url, &format!("s{}", begun.len())).await;
        ends.push(end);
    }
    assert_eq!(within(gateway.ready()).await, Ok(()));
    assert_eq!(gateway.state().borrow().live, 3);
    let mut numbers: Vec<_> = begun.iter().map(|(shard, _)| shard.to_string()).collect();
    numbers.sort();
    assert_eq!(numbers, ["[0,3]", "[1,3]", "[2,3]"]);
    for pair in begun.windows(2) {
        assert!((4990..5100).contains(&(pair[1].1 - pair[0].1).as_millis()));
    }
    assert_eq!(gateway.sessions().len(), 3);
}
