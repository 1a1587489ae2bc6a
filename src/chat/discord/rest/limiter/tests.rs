//! The limiter by a clock that the tests turn: a Discord that counts as Discord does sees who passes when.
//!
//! Invariant: nothing here takes real time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const WAY: Duration = Duration::from_millis(30);

/// How a bucket counts.
#[derive(Clone, Copy, PartialEq)]
enum Counts {
    /// A window begins with the first call.
    Window,
    /// The last so many seconds.
    Last,
    /// … and each channel's bucket has a name of its own.
    Named,
    /// Nothing is told of it, and nothing refused.
    Untold,
}

struct Discord {
    counts: Counts,
    limit: u32,
    window: Duration,
    seen: Mutex<HashMap<String, Vec<Instant>>>,
    all: Mutex<Vec<Instant>>,
    calls: Mutex<u32>,
    refused: Mutex<u32>,
}

impl Discord {
    fn new(counts: Counts, limit: u32, window: Duration) -> Arc<Self> {
        let (seen, all, calls, refused) = Default::default();
        Arc::new(Self { counts, limit, window, seen, all, calls, refused })
    }

    /// What becomes of a call: it arrives after a while, and its answer after another.
    async fn call(&self, mut permit: Permit, route: &Route, way: Duration) -> bool {
        permit.sent();
        sleep(way).await;
        let now = Instant::now();
        *self.calls.lock().unwrap() += 1;
        let is_global = {
            let mut all = self.all.lock().unwrap();
            all.retain(|at| now - *at < SECOND);
            all.push(now);
            all.len() > 50
        };
        let (is_refused, headers) = self.counted(route, now);
        sleep(way).await;
        if is_global || is_refused {
            *self.refused.lock().unwrap() += 1;
            let scope = if is_global { Scope::Global } else { Scope::User };
            permit.limited(&headers, SECOND, scope);
            return false;
        }
        permit.answered(StatusCode::OK, &headers);
        true
    }

    fn counted(&self, route: &Route, now: Instant) -> (bool, HeaderMap) {
        if self.counts == Counts::Untold {
            return (false, HeaderMap::new());
        }
        // Edits and posts share a bucket here, as they may.
        let bucket = if self.counts == Counts::Named { format!("b{}", route.major) } else { "b".to_owned() };
        let mut all = self.seen.lock().unwrap();
        let seen = all.entry(route.major.to_string()).or_default();
        match self.counts {
            Counts::Last => seen.retain(|at| now - *at < self.window),
            _ if seen.first().is_some_and(|at| now - *at >= self.window) => seen.clear(),
            _ => {}
        }
        let is_refused = seen.len() >= self.limit as usize;
        if !is_refused {
            seen.push(now);
        }
        let reset = match self.counts {
            Counts::Last => self.window,
            _ => self.window - (now - seen[0]),
        };
        let headers = headers(&bucket, self.limit, self.limit - seen.len() as u32, reset);
        (is_refused, headers)
    }

    fn refused(&self) -> u32 {
        *self.refused.lock().unwrap()
    }

    fn calls(&self) -> u32 {
        *self.calls.lock().unwrap()
    }
}

fn headers(bucket: &str, limit: u32, left: u32, reset: Duration) -> HeaderMap {
    let pairs = [
        ("x-ratelimit-bucket", bucket.to_owned()),
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", left.to_string()),
        ("x-ratelimit-reset-after", format!("{:.3}", reset.as_secs_f64())),
    ];
    pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn post(channel: impl fmt::Display) -> Route {
    Route::new(Method::POST, format!("/channels/{channel}/messages"))
}

fn edit(channel: impl fmt::Display, message: impl fmt::Display) -> Route {
    Route::new(Method::PATCH, format!("/channels/{channel}/messages/{message}"))
}

/// Tells of a bucket without a call that takes time.
fn tell(limiter: &Limiter, route: &Route, limit: u32, left: u32, reset: Duration) {
    let mut permit = limiter.try_pass(route, Rank::Final).unwrap();
    permit.sent();
    permit.answered(StatusCode::OK, &headers("b", limit, left, reset));
}

fn idle(limiter: &Limiter) {
    let state = limiter.lock();
    assert!(state.waiting.is_empty());
    assert!(state.buckets.values().all(|bucket| bucket.flying() == 0));
    assert!(state.edits.values().all(|edit| edit.flying == 0));
}

/// Turns that stream in threads of their own; what it took from each last text to its place.
async fn stream(discord: &Arc<Discord>, threads: u64, edits: u64) -> Vec<Duration> {
    let limiter = Limiter::default();
    let mut turns = JoinSet::new();
    for n in 0..threads {
        let (limiter, discord) = (limiter.clone(), discord.clone());
        turns.spawn(async move {
            sleep(Duration::from_millis(n * 13)).await;
            let way = WAY + Duration::from_millis(n % 7 * 9);
            let route = post(n);
            while !discord.call(limiter.pass(&route, Rank::First).await, &route, way).await {}
            let route = edit(n, 1);
            for _ in 0..edits {
                discord.call(limiter.pass(&route, Rank::Update).await, &route, way).await;
            }
            let before = Instant::now();
            while !discord.call(limiter.pass(&route, Rank::Final).await, &route, way).await {}
            before.elapsed()
        });
    }
    let took = turns.join_all().await;
    idle(&limiter);
    took
}

#[tokio::test(start_paused = true)]
async fn fifty_threads_stream_without_being_refused_and_last_texts_pass_at_once() {
    let discord = Discord::new(Counts::Window, 5, 5 * SECOND);
    let took = stream(&discord, 50, 20).await;
    assert_eq!(discord.refused(), 0, "of {}", discord.calls());
    assert!(took.iter().max().unwrap() < &(SECOND / 2), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_discord_that_counts_otherwise_is_learned_from_few_refusals() {
    let discord = Discord::new(Counts::Last, 5, 5 * SECOND);
    let took = stream(&discord, 50, 20).await;
    assert!(discord.refused() * 100 <= discord.calls(), "{} of {}", discord.refused(), discord.calls());
    assert!(took.iter().max().unwrap() < &(3 * SECOND), "{took:?}");
    let discord = Discord::new(Counts::Named, 5, 5 * SECOND);
    stream(&discord, 50, 20).await;
    assert_eq!(discord.refused(), 0, "of {}", discord.calls());
}

#[tokio::test(start_paused = true)]
async fn many_at_once_keep_the_rates_and_lose_nothing_of_them() {
    for counts in [Counts::Window, Counts::Last, Counts::Named] {
        let (limiter, discord) = (Limiter::default(), Discord::new(counts, 5, 5 * SECOND));
        let before = Instant::now();
        let mut calls = JoinSet::new();
        for n in 0..120_u64 {
            let (limiter, discord) = (limiter.clone(), discord.clone());
            calls.spawn(async move {
                let route = if n % 4 < 2 { post(n % 2) } else { edit(n % 2, n) };
                while !discord.call(limiter.pass(&route, Rank::Reply).await, &route, Duration::from_millis(n * 37 % 400)).await {}
            });
        }
        calls.join_all().await;
        // Sixty in each channel, in windows of five.
        let took = before.elapsed();
        assert!(took < 80 * SECOND, "{took:?}");
        assert!(discord.refused() <= 6, "{} of {}", discord.refused(), discord.calls());
        idle(&limiter);
    }
}

#[tokio::test(start_paused = true)]
async fn routes_without_rates_have_none() {
    let (limiter, discord) = (Limiter::default(), Discord::new(Counts::Untold, 0, SECOND));
    let route = Route::new(Method::GET, "/channels/1/messages/2");
    let before = Instant::now();
    for _ in 0..30 {
        assert!(discord.call(limiter.pass(&route, Rank::Reply).await, &route, Duration::from_millis(1)).await);
    }
    assert!(before.elapsed() < SECOND, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_whole_bot_stays_below_fifty_with_room_for_replies() {
    let limiter = Limiter::default();
    let mut waits = JoinSet::new();
    for n in 0..200 {
        let limiter = limiter.clone();
        waits.spawn(async move {
            let before = Instant::now();
            limiter.pass(&post(n), Rank::Update).await.sent();
            before.elapsed()
        });
    }
    sleep(Duration::from_millis(1)).await;
    // Updates have taken all that is theirs, and ten are left.
    for n in 200..210 {
        limiter.try_pass(&post(n), Rank::Reply).unwrap().sent();
    }
    assert!(limiter.try_pass(&post(999), Rank::Final).is_none());
    // Interactions are no part of it.
    limiter.try_pass(&Route::new(Method::POST, "/webhooks/1/token"), Rank::Extra).unwrap().sent();
    let callback = Route::new(Method::POST, "/interactions/1/token/callback");
    assert!((0..100).all(|_| limiter.try_pass(&callback, Rank::Extra).is_some()));
    let mut waits = waits.join_all().await;
    waits.sort();
    for second in 0..6 {
        let until = SECOND * second + SECOND / 2;
        assert!(waits.iter().filter(|wait| **wait <= until).count() <= 38 * (second as usize + 1));
    }
    assert!(waits[199] < 7 * SECOND, "{:?}", waits[199]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_take_long_to_arrive_are_not_too_many_in_any_second() {
    let (limiter, discord) = (Limiter::default(), Discord::new(Counts::Window, 5, 5 * SECOND));
    let before = Instant::now();
    let mut calls = JoinSet::new();
    for n in 0..400_u64 {
        let (limiter, discord) = (limiter.clone(), discord.clone());
        calls.spawn(async move {
            // The network holds whatever is sent in two of three seconds, and lets all of it go at once.
            let route = post(n);
            let permit = limiter.pass(&route, Rank::Reply).await;
            let now = u64::try_from(before.elapsed().as_millis()).unwrap();
            let held = 3_000 - now % 3_000;
            discord.call(permit, &route, Duration::from_millis(if held > 1_000 { held - 1_000 } else { 1 })).await
        });
    }
    assert!(calls.join_all().await.into_iter().all(|is_answered| is_answered));
    assert_eq!(discord.refused(), 0, "of {}", discord.calls());
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn the_better_rank_passes_first_and_channels_in_turn() {
    let limiter = Limiter::default();
    let get = |channel: i32| Route::new(Method::GET, format!("/channels/{channel}/messages/1"));
    tell(&limiter, &get(99), 50, 50, SECOND);
    {
        let mut state = limiter.lock();
        for _ in 0..48 {
            state.whole.take();
            state.whole.landed(Instant::now());
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut calls = JoinSet::new();
    // The first channel comes with five times as many, before all others.
    for (channel, times) in [(0, 10)].into_iter().chain((1..50).map(|channel| (channel, 2))) {
        for rank in [Rank::Update, Rank::First, Rank::Final].repeat(times).into_iter().take(times) {
            let (limiter, order) = (limiter.clone(), order.clone());
            calls.spawn(async move {
                let permit = limiter.pass(&get(channel), rank).await;
                order.lock().unwrap().push((rank, channel));
                drop(permit);
            });
        }
    }
    calls.join_all().await;
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 108);
    assert!(order.iter().map(|(rank, _)| *rank).is_sorted(), "{order:?}");
    // Within a rank nobody has a second turn before all that wait had one.
    let updates: Vec<i32> = order.iter().filter(|(rank, _)| *rank == Rank::Update).map(|(_, channel)| *channel).collect();
    let firsts: std::collections::HashSet<_> = updates[..50].iter().collect();
    assert_eq!(firsts.len(), 50, "{updates:?}");
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn the_last_place_is_kept_for_last_words() {
    let limiter = Limiter::default();
    let route = edit(1, 1);
    tell(&limiter, &route, 5, 1, 4 * SECOND);
    sleep(2 * SECOND).await;
    assert!(limiter.try_pass(&route, Rank::Update).is_none());
    assert!(limiter.try_pass(&edit(1, 2), Rank::Extra).is_none());
    limiter.try_pass(&route, Rank::Final).unwrap().sent();
    assert!(limiter.try_pass(&route, Rank::Final).is_none());
    let before = Instant::now();
    limiter.pass(&route, Rank::Final).await.sent();
    let took = before.elapsed();
    assert!(took >= 2 * SECOND && took < Duration::from_millis(2020), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn updates_of_a_message_are_apart_and_wait_for_the_one_before() {
    let limiter = Limiter::default();
    let route = edit(1, 1);
    tell(&limiter, &edit(1, 9), 5, 5, SECOND);
    let mut first = limiter.try_pass(&route, Rank::Update).unwrap();
    first.sent();
    sleep(3 * SECOND).await;
    assert!(limiter.try_pass(&route, Rank::Update).is_none(), "the one before is under way");
    assert!(limiter.try_pass(&edit(1, 2), Rank::Update).is_some(), "another message");
    drop(first);
    let before = Instant::now();
    // Leave that is not used is no edit.
    drop(limiter.pass(&route, Rank::Update).await);
    assert!(before.elapsed() >= EDITS, "{:?}", before.elapsed());
    limiter.try_pass(&route, Rank::Update).unwrap().sent();
    assert!(limiter.try_pass(&route, Rank::Update).is_none());
    assert!(limiter.try_pass(&route, Rank::Final).is_some());
}

#[tokio::test(start_paused = true)]
async fn pauses_are_kept_where_they_hold() {
    let limiter = Limiter::default();
    let refuse = |route: &Route, wait, scope| {
        let mut permit = limiter.try_pass(route, Rank::Final).unwrap();
        permit.sent();
        permit.limited(&HeaderMap::new(), wait, scope);
    };
    refuse(&post(1), 30 * SECOND, Scope::User);
    refuse(&post(2), 20 * SECOND, Scope::Shared);
    assert!(limiter.try_pass(&post(1), Rank::Final).is_none());
    assert!(limiter.try_pass(&post(3), Rank::Update).is_some());
    let before = Instant::now();
    drop(limiter.pass(&post(2), Rank::Final).await);
    assert!(before.elapsed() >= 20 * SECOND && before.elapsed() < 21 * SECOND);
    drop(limiter.pass(&post(1), Rank::Final).await);
    assert!(before.elapsed() >= 30 * SECOND && before.elapsed() < 31 * SECOND);
    refuse(&post(1), 10 * SECOND, Scope::Global);
    let before = Instant::now();
    assert!(limiter.try_pass(&post(4), Rank::Final).is_none());
    drop(limiter.pass(&post(5), Rank::Final).await);
    assert!(before.elapsed() >= 10 * SECOND && before.elapsed() < 11 * SECOND);
    // What is shared is nobody's fault.
    assert_eq!(limiter.lock().whole.invalid(Instant::now()), 2);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_takes_no_place() {
    let limiter = Limiter::default();
    let route = post(1);
    tell(&limiter, &route, 5, 0, 5 * SECOND);
    let mut waits = Vec::new();
    for _ in 0..20 {
        let (limiter, route) = (limiter.clone(), route.clone());
        waits.push(tokio::spawn(async move { limiter.pass(&route, Rank::Final).await }));
    }
    sleep(SECOND).await;
    waits.iter().for_each(tokio::task::JoinHandle::abort);
    sleep(2 * SECOND).await;
    // Those who gave up are forgotten, as is the task that looked after them.
    assert!(limiter.lock().waiting.is_empty());
    assert_eq!(limiter.lock().wakes, None);
    sleep(3 * SECOND).await;
    let held: Vec<Permit> = (0..5).map(|_| limiter.try_pass(&route, Rank::Final).unwrap()).collect();
    assert!(limiter.try_pass(&route, Rank::Final).is_none());
    let waits = tokio::spawn({
        let (limiter, route) = (limiter.clone(), route.clone());
        async move { limiter.pass(&route, Rank::Extra).await.sent() }
    });
    sleep(Duration::from_millis(1)).await;
    assert!(!waits.is_finished());
    // Leave that is not used goes to the next, at once.
    let before = Instant::now();
    drop(held);
    waits.await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    idle(&limiter);
    // One that was sent counts, whatever came of it.
    for _ in 0..4 {
        limiter.try_pass(&route, Rank::Final).unwrap().sent();
    }
    assert!(limiter.try_pass(&route, Rank::Final).is_none());
}

#[tokio::test(start_paused = true)]
async fn too_many_invalid_requests_silence_all_but_replies() {
    let limiter = Limiter::default();
    (0..5_000).for_each(|_| limiter.count(StatusCode::FORBIDDEN));
    limiter.count(StatusCode::NOT_FOUND);
    assert!(limiter.try_pass(&post(1), Rank::First).is_none());
    assert!(limiter.try_pass(&post(1), Rank::Reply).is_some());
    let before = Instant::now();
    drop(limiter.pass(&post(1), Rank::Extra).await);
    assert!(before.elapsed() >= 600 * SECOND && before.elapsed() < 612 * SECOND, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_idle_is_forgotten() {
    let limiter = Limiter::default();
    for n in 0..6_000_u64 {
        let route = edit(n, n);
        let mut permit = limiter.pass(&route, Rank::Final).await;
        permit.sent();
        permit.answered(StatusCode::OK, &headers("b", 5, 4, SECOND));
        sleep(Duration::from_millis(30)).await;
    }
    let state = limiter.lock();
    let sizes = [state.buckets.len(), state.called.len(), state.edits.len(), state.passed.len(), state.rules.len()];
    assert!(sizes.iter().all(|size| *size <= 2 * REMEMBERED), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn everybody_passes_once_nothing_works_any_more() {
    let limiter = Limiter::default();
    tell(&limiter, &post(1), 5, 0, 500 * SECOND);
    let wait = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.pass(&post(1), Rank::Extra).await }
    });
    sleep(SECOND).await;
    limiter.open();
    drop(wait.await.unwrap());
    assert!((0..100).all(|_| limiter.try_pass(&post(1), Rank::Extra).is_some()));
}
