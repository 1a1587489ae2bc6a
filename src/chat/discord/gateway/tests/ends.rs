//! How connections and sessions end, and what comes after.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::session::beginning;
use super::super::*;
use super::discord::{Discord, within};
use super::live;
use crate::model::Timestamp;

const SHORT: Duration = Duration::from_millis(50);

fn left(discord: &Discord, seq: u64) -> Vec<Resumable> {
    vec![Resumable { shard: 0, session_id: "old".into(), resume_url: format!("{}/old", discord.url), seq }]
}

#[tokio::test]
async fn when_discord_asks_for_another_connection_the_session_goes_on() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    live(&gateway, 1).await;
    end.event(4, "A").await;
    end.say(json!({ "op": 7, "d": null })).await;
    assert_eq!(end.hear().await, 4000);
    let mut end = discord.resumed("s1", 4).await;
    end.event(5, "RESUMED").await;
    live(&gateway, 1).await;
    assert_eq!(gateway.sessions()[0].seq, 5);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_session_is_resumed_if_discord_says_so_and_else_begun_anew() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    end.event(4, "A").await;
    live(&gateway, 1).await;
    end.say(json!({ "op": 9, "d": true })).await;
    let mut end = discord.resumed("s1", 4).await;
    let before = Timestamp::now();
    end.event(5, "RESUMED").await;
    live(&gateway, 1).await;
    assert!(timeout(SHORT, gateway.gap()).await.is_err());
    end.say(json!({ "op": 9, "d": false })).await;
    let since = Instant::now();
    let mut end = discord.end().await;
    assert!((1000..5300).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    assert_eq!(end.path, "/?v=10&encoding=json");
    assert_eq!(end.hear().await["op"], 2);
    assert!(gateway.sessions().is_empty());
    assert!(timeout(SHORT, gateway.gap()).await.is_err(), "it is told when the next session is live");
    end.ready(&discord.url, "s2").await;
    let gap = within(gateway.gap()).await;
    assert!((before..=Timestamp::now()).contains(&gap.from));
    assert!(timeout(SHORT, gateway.gap()).await.is_err(), "and once");
    assert_eq!(gateway.sessions()[0].session_id, "s2");
}

#[tokio::test(start_paused = true)]
async fn after_each_close_code_comes_what_discord_says_of_it() {
    for code in [1000, 1001, 4000, 4001, 4002, 4003, 4005, 4008, 4321] {
        let mut discord = Discord::open().await;
        let _gateway = discord.start();
        discord.begun().await.close(code).await;
        discord.resumed("s1", 1).await;
    }
    for code in [4007, 4009] {
        let mut discord = Discord::open().await;
        let gateway = discord.start();
        discord.begun().await.close(code).await;
        discord.begun().await;
        within(gateway.gap()).await;
    }
    let finals = [
        (4004, GivenUp::BadToken),
        (4010, GivenUp::InvalidShard),
        (4011, GivenUp::ShardingRequired),
        (4012, GivenUp::Version),
        (4013, GivenUp::InvalidIntents),
        (4014, GivenUp::DisallowedIntents),
    ];
    for (code, why) in finals {
        let mut discord = Discord::open().await;
        let gateway = discord.start();
        let mut end = discord.end().await;
        assert_eq!(end.hear().await["op"], 2);
        end.close(code).await;
        assert_eq!(within(gateway.ready()).await, Err(why), "{code}");
        within(gateway.ended()).await;
        assert_eq!(*gateway.state().borrow(), State { live: 0, given_up: Some(why) });
        assert!(timeout(Duration::from_secs(300), discord.ends.recv()).await.is_err(), "it is not tried again");
        assert!(!discord.stop.is_cancelled());
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_answer_to_one_shard_ends_them_all() {
    let mut discord = Discord::open().await;
    let gateway = discord.start_with(Options { shards: 2, max_concurrency: 2, ..discord.options() }, None);
    let (mut one, mut two) = (discord.begun().await, discord.begun().await);
    live(&gateway, 2).await;
    one.close(4011).await;
    assert_eq!(two.hear().await, 1000);
    drop(two);
    within(gateway.ended()).await;
    assert_eq!(*gateway.state().borrow(), State { live: 0, given_up: Some(GivenUp::ShardingRequired) });
}

#[tokio::test(start_paused = true)]
async fn a_session_that_three_times_was_not_resumed_is_begun_anew() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    discord.begun().await.close(4000).await;
    for _ in 0..3 {
        drop(discord.resumed("s1", 1).await);
    }
    let mut end = discord.end().await;
    assert_eq!((end.hear().await["op"].clone(), end.path.as_str()), (json!(2), "/?v=10&encoding=json"));
    end.ready(&discord.url, "s2").await;
    within(gateway.gap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_not_given_up_because_the_network_is_gone() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.end().await;
    assert_eq!(end.hear().await["op"], 2);
    // Nobody listens there.
    end.ready("ws://127.0.0.1:1", "s1").await;
    live(&gateway, 1).await;
    drop(end);
    let mut end = discord.resumed("s1", 1).await;
    assert_eq!(end.path, "/?v=10&encoding=json", "Discord's general address");
    end.event(2, "RESUMED").await;
    live(&gateway, 1).await;
    assert!(timeout(SHORT, gateway.gap()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_program_left_is_resumed_first() {
    let mut discord = Discord::open().await;
    let gateway = discord.start_with(discord.options(), Some(left(&discord, 41)));
    let mut end = discord.resumed("old", 41).await;
    assert_eq!(end.path, "/old?v=10&encoding=json");
    end.event(42, "A").await;
    end.event(43, "RESUMED").await;
    assert_eq!(within(gateway.ready()).await, Ok(()));
    assert_eq!((discord.kinds(), gateway.sessions()[0].seq), (vec!["A".to_owned(), "RESUMED".to_owned()], 43));
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_program_left_and_discord_forgot_is_a_gap() {
    let mut discord = Discord::open().await;
    let gateway = discord.start_with(discord.options(), Some(left(&discord, 41)));
    discord.resumed("old", 41).await.say(json!({ "op": 9, "d": false })).await;
    let _end = discord.begun().await;
    assert_eq!(within(gateway.gap()).await.from, beginning());
    assert_eq!(gateway.sessions()[0].session_id, "s1");
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_does_not_come_is_not_waited_for() {
    let mut discord = Discord::open().await;
    let _gateway = discord.start();
    let silent = within(discord.ends.recv()).await.unwrap();
    let mut end = discord.end().await;
    drop(silent);
    assert_eq!(end.hear().await["op"], 2);
    let since = Instant::now();
    // It beats, and is acknowledged, and there is no session.
    while end.hear().await["op"] == 1 {
        end.say(json!({ "op": 11 })).await;
    }
    assert!((60..150).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    drop(end);
    let mut end = discord.end().await;
    assert_eq!(end.hear().await["op"], 2);
    end.say(json!({ "op": 0, "s": 1, "t": "READY", "d": { "v": 10 } })).await;
    assert_eq!(end.hear().await, 4000, "a session without a name is none");
    discord.begun().await;
}

#[tokio::test]
async fn who_stops_says_good_bye() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    let mut end = discord.begun().await;
    live(&gateway, 1).await;
    discord.stop.cancel();
    assert_eq!(end.hear().await, 1000);
    assert_eq!(end.hear().await, Value::Null);
    drop(end);
    within(gateway.ended()).await;
    assert_eq!((gateway.state().borrow().live, gateway.sessions()), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn who_stops_while_there_is_no_connection_leaves_the_session() {
    let mut discord = Discord::open().await;
    let gateway = discord.start();
    drop(discord.begun().await);
    let silent = within(discord.ends.recv()).await.unwrap();
    discord.stop.cancel();
    within(gateway.ended()).await;
    assert_eq!(gateway.sessions()[0].session_id, "s1");
    drop(silent);
}
