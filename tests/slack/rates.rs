//! Many answers at once under Slack's real rates, and without any: last words are there as soon as the rates allow.

use std::time::{Duration, Instant};

use super::room::{Room, answer};
use crate::support::slack::{Kind, Rules};

/// So many answers of five seconds at once in so many channels; how long after their last words all were complete.
async fn at_once(threads: usize, channels: usize, keys: &str) -> Duration {
    let pace = Duration::from_millis(250);
    let room = Room::open(Rules::real_rates(), keys, pace).await;
    let mut places = vec![room.channel.clone()];
    for n in 1..channels {
        places.push(room.slack.channel(&format!("team-{n}"), Kind::Public, &["ann"], true));
    }
    // What the beginning took of the rates is past.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before: usize = room.slack.look(|s| s.calls.len());
    let asked = Instant::now();
    let roots: Vec<(String, String)> = (0..threads)
        .map(|n| {
            let channel = &places[n % channels];
            (channel.clone(), room.ann.mention(channel, "say 20 words"))
        })
        .collect();
    for (channel, root) in &roots {
        room.slack.wait("an answer", |s| answer(s, channel, root, root)).await.says(20);
    }
    let took = asked.elapsed();
    let (calls, limited) = room.slack.look(|s| {
        let calls = &s.calls[before..];
        (calls.len(), calls.iter().filter(|c| c.error.as_deref() == Some("ratelimited")).count())
    });
    eprintln!("{threads} threads, {channels} channels: complete after {took:?}, {limited} of {calls} calls limited");
    assert!(limited <= 1 + calls / 100, "{limited} of {calls}");
    room.slack.settled().await;
    room.bot.done().await;
    took.saturating_sub(pace * 20)
}

#[tokio::test]
async fn twenty_answers_in_one_channel_are_whole_soon_after_their_last_words() {
    let late = at_once(19, 1, "").await;
    assert!(late < Duration::from_secs(20), "{late:?}");
}

#[tokio::test]
async fn twenty_answers_in_several_channels_are_whole_soon_after_their_last_words() {
    let late = at_once(20, 5, "").await;
    assert!(late < Duration::from_secs(20), "{late:?}");
}

#[tokio::test]
async fn sixty_answers_are_whole_when_the_rates_allow() {
    // A message a second in each channel besides the streams.
    let late = at_once(60, 4, "").await;
    assert!(late < Duration::from_secs(40), "{late:?}");
}

#[tokio::test]
async fn a_hundred_answers_stream_at_once_where_slack_has_no_rates() {
    let room = Room::open(Rules::default(), "", Duration::from_millis(5)).await;
    let asked = Instant::now();
    let roots: Vec<String> = (0..100).map(|_| room.mention("say 30 words")).collect();
    for root in &roots {
        room.answered(root, root).await.says(30);
    }
    assert!(asked.elapsed() < Duration::from_secs(25), "nobody waits for a rate that there is not: {:?}", asked.elapsed());
    room.done().await;
}

/// By hand: `cargo test --release --test main -- --ignored slack::rates --nocapture`.
#[tokio::test]
#[ignore = "it takes as long as the rates want"]
async fn a_hundred_answers_in_one_channel() {
    let late = at_once(100, 1, "").await;
    assert!(late < Duration::from_secs(110), "{late:?}");
}

/// From the agent's word to its sight, in milliseconds.
#[tokio::test]
#[ignore = "only a release build can be judged by it"]
async fn first_words_are_there_at_once() {
    let room = Room::open(Rules::default(), "", Duration::from_millis(200)).await;
    for round in 0..3 {
        let roots: Vec<String> = (0..100).map(|_| room.mention("clock 3")).collect();
        let mut took = Vec::new();
        for root in &roots {
            room.answered(root, root).await;
            let first = room.slack.look(|s| {
                let call = s.calls.iter().find(|c| {
                    c.args["thread_ts"] == root.as_str()
                        && (c.method == "chat.startStream" || c.args["metadata"]["event_payload"]["kind"] == "text")
                });
                call.map(|c| (c.at, c.args["markdown_text"].as_str().or(c.args["text"].as_str()).unwrap_or_default().to_owned()))
            });
            let Some((at, text)) = first else { panic!("no call for {root}") };
            let said: u128 = text.split_whitespace().next().and_then(|t| t.parse().ok()).expect("a time");
            let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos()
                - at.elapsed().as_nanos();
            took.push(wall.saturating_sub(said) / 1_000);
        }
        took.sort_unstable();
        eprintln!("round {round}: p50 {} us, p95 {} us, p99 {} us, last {} us", took[50], took[95], took[98], took[99]);
    }
    room.done().await;
}
