//! The limiter by a clock that the tests turn: a Slack that counts as Slack does sees who passes when.
//!
//! Invariant: nothing here takes real time.

use std::sync::{Arc, Mutex};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A Slack with the published rates, which counts a call when it arrives.
#[derive(Clone, Default)]
struct Counting(Arc<Mutex<HashMap<Key, Vec<Instant>>>>, Arc<Mutex<Vec<Instant>>>);

impl Counting {
    /// What becomes of a call: it arrives after a while, and its answer after another.
    async fn call(&self, permit: Permit, way: Duration) -> bool {
        tokio::time::sleep(way).await;
        let (most, window, _) = permit.key.0.rate();
        let refused = {
            let mut all = self.0.lock().unwrap();
            let seen = all.entry(permit.key.clone()).or_default();
            let now = Instant::now();
            let recent = seen.iter().filter(|at| now - **at < window).count();
            if recent < most {
                seen.push(now);
            }
            recent >= most
        };
        tokio::time::sleep(way).await;
        if refused {
            self.1.lock().unwrap().push(Instant::now());
            permit.refused(SECOND);
        } else {
            permit.worked();
        }
        !refused
    }

    fn refused(&self) -> usize {
        self.1.lock().unwrap().len()
    }
}

/// One that no longer tries more than is published.
fn strict() -> Limiter {
    let limiter = Limiter::default();
    limiter.lock().refused = Some(Instant::now());
    limiter
}

fn idle(limiter: &Limiter) {
    let state = limiter.lock();
    assert_eq!(state.beyond, 0);
    for (key, bucket) in &state.buckets {
        assert_eq!((bucket.flying, bucket.reserved, bucket.waiting.len()), (0, 0, 0), "{key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rates_are_kept_however_long_calls_take() {
    let (limiter, slack) = (strict(), Counting::default());
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..120_u64 {
        let (limiter, slack) = (limiter.clone(), slack.clone());
        calls.spawn(async move {
            let (method, channel) = match n % 3 {
                0 => (Method::Post, "C1"),
                1 => (Method::Post, "C2"),
                _ => (Method::Update, "C1"),
            };
            let permit = limiter.pass(method, channel, &format!("t{n}"), Rank::First).await;
            assert!(slack.call(permit, Duration::from_millis(n * 37 % 700)).await);
        });
    }
    let before = Instant::now();
    while calls.join_next().await.transpose().unwrap().is_some() {}
    // Forty in each channel, each as long as its answer took besides.
    assert!(before.elapsed() < 90 * SECOND, "{:?}", before.elapsed());
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_of_the_rates_when_answers_come_at_once() {
    let limiter = strict();
    let before = Instant::now();
    for _ in 0..41 {
        limiter.pass(Method::StartStream, "", "t", Rank::First).await.worked();
    }
    let took = before.elapsed();
    assert!(took >= 120 * SECOND && took < 123 * SECOND, "{took:?}");
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn last_words_pass_first_and_then_whoever_waits_longest() {
    let limiter = strict();
    limiter.pass(Method::Post, "C", "first", Rank::Update).await.worked();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    let ranks = [Rank::Extra, Rank::Update, Rank::First, Rank::Reply, Rank::Final];
    for (n, rank) in ranks.into_iter().enumerate() {
        // `first` has passed already, so the others of its rank go before it.
        for thread in ["first", "a", "b"] {
            let (limiter, order) = (limiter.clone(), order.clone());
            calls.spawn(async move {
                let permit =
                    limiter.pass(Method::Post, "C", &format!("{thread}{}", if thread == "first" { "" } else { "x" }), rank).await;
                order.lock().unwrap().push((4 - n, thread));
                permit.worked();
            });
        }
    }
    while calls.join_next().await.transpose().unwrap().is_some() {}
    let order = order.lock().unwrap().clone();
    let ranks: Vec<usize> = order.iter().map(|(rank, _)| *rank).collect();
    assert!(ranks.is_sorted(), "{order:?}");
    for rank in order.chunks(3) {
        assert_eq!(rank[2].1, "first", "{order:?}");
    }
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn reserved_room_is_nobody_elses_and_never_waits_behind_others() {
    let limiter = strict();
    let rooms: Vec<Reservation> = (0..20).filter_map(|_| limiter.reserve(Method::StopStream)).collect();
    assert_eq!(rooms.len(), 20);
    assert!(limiter.reserve(Method::StopStream).is_none());
    // Somebody without a reservation stands in front of all that have one.
    let other = limiter.clone();
    let without = tokio::spawn(async move { other.pass(Method::StopStream, "", "other", Rank::Final).await.worked() });
    tokio::time::sleep(SECOND).await;
    assert!(!without.is_finished());
    let before = Instant::now();
    for room in rooms {
        limiter.pass_reserved(room, "mine", Rank::Final).await.worked();
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    without.await.unwrap();
    assert!(before.elapsed() >= 60 * SECOND && before.elapsed() < 63 * SECOND, "{:?}", before.elapsed());
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_slack_wants_is_kept_to_the_end() {
    let limiter = strict();
    limiter.pass(Method::Update, "", "t", Rank::Final).await.refused(30 * SECOND);
    let before = Instant::now();
    assert!(limiter.try_pass(Method::Update, "", "t", Rank::Final).is_none());
    limiter.pass(Method::Update, "", "t", Rank::Final).await.worked();
    assert!(before.elapsed() >= 30 * SECOND && before.elapsed() < 32 * SECOND);
    // Others are not concerned.
    let before = Instant::now();
    limiter.pass(Method::Post, "C", "t", Rank::Final).await.worked();
    assert_eq!(before.elapsed(), Duration::ZERO);
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn more_is_tried_once_in_fifteen_minutes() {
    let (limiter, slack) = (Limiter::default(), Counting::default());
    let mut total = 0;
    for _ in 0..60 {
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..10 {
            let (limiter, slack) = (limiter.clone(), slack.clone());
            calls.spawn(async move {
                let permit = limiter.pass(Method::Post, "C", &format!("t{n}"), Rank::First).await;
                slack.call(permit, Duration::from_millis(5)).await
            });
        }
        while calls.join_next().await.transpose().unwrap().is_some() {
            total += 1;
        }
        tokio::time::sleep(60 * SECOND).await;
    }
    assert_eq!(total, 600);
    let refused = slack.1.lock().unwrap().clone();
    assert!(!refused.is_empty() && refused.windows(2).all(|two| two[1] - two[0] >= MEMORY), "{refused:?}");
    assert!(slack.refused() <= 5);
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn where_slack_does_not_refuse_nobody_waits() {
    let limiter = Limiter::default();
    let before = Instant::now();
    for round in 0..4 {
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..100 {
            let limiter = limiter.clone();
            calls.spawn(async move {
                let permit = limiter.pass(Method::StartStream, "", &format!("{round} {n}"), Rank::First).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                permit.worked();
                let permit = limiter.pass(Method::StopStream, "", &format!("{round} {n}"), Rank::Final).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                permit.worked();
            });
        }
        while calls.join_next().await.transpose().unwrap().is_some() {}
    }
    // The first hundred find out what is allowed, doubling it with every answer.
    assert!(before.elapsed() < Duration::from_millis(40), "{:?}", before.elapsed());
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_takes_nothing_with_it() {
    let limiter = strict();
    limiter.pass(Method::Post, "C", "t", Rank::First).await.worked();
    let give_up = async |millis| {
        let waiting = limiter.pass(Method::Post, "C", "gone", Rank::Final);
        tokio::time::timeout(Duration::from_millis(millis), waiting).await.is_err()
    };
    assert!(give_up(500).await);
    assert!(give_up(100).await);
    let before = Instant::now();
    limiter.pass(Method::Post, "C", "t", Rank::Update).await.worked();
    assert!(before.elapsed() <= SECOND, "{:?}", before.elapsed());
    // Leave that was given in the same moment in which it was no longer wanted goes to the next.
    let waiting = Box::pin(limiter.pass(Method::Post, "C", "gone", Rank::Final));
    let mut waiting = waiting;
    assert!(futures_util::poll!(&mut waiting).is_pending());
    let behind = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.pass(Method::Post, "C", "t", Rank::Update).await.worked() }
    });
    let before = Instant::now();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!behind.is_finished());
    drop(waiting);
    behind.await.unwrap();
    assert!(before.elapsed() < 2 * SECOND, "{:?}", before.elapsed());
    // And one that was never used, or of which nobody knows.
    tokio::time::sleep(2 * SECOND).await;
    limiter.pass(Method::Post, "C", "t", Rank::Update).await.unused();
    let before = Instant::now();
    drop(limiter.pass(Method::Post, "C", "t", Rank::Update).await);
    assert_eq!(before.elapsed(), Duration::ZERO);
    limiter.pass(Method::Post, "C", "t", Rank::Update).await.worked();
    assert!(before.elapsed() >= SECOND);
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn a_thread_with_much_to_say_leaves_room_for_the_others() {
    let limiter = strict();
    let passed = Arc::new(Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    for thread in ["loud", "loud", "loud", "loud", "quiet", "shy"] {
        let (limiter, passed) = (limiter.clone(), passed.clone());
        calls.spawn(async move {
            for _ in 0..if thread == "loud" { 5 } else { 2 } {
                let permit = limiter.pass(Method::Post, "C", thread, Rank::Update).await;
                passed.lock().unwrap().push(thread);
                permit.worked();
            }
        });
    }
    while calls.join_next().await.transpose().unwrap().is_some() {}
    let passed = passed.lock().unwrap();
    let done = |name: &str| passed.iter().rposition(|thread| *thread == name).unwrap();
    assert!(done("quiet") < 12 && done("shy") < 12, "{passed:?}");
    idle(&limiter);
}

#[tokio::test(start_paused = true)]
async fn last_words_that_all_come_as_messages_find_out_as_well() {
    let limiter = Limiter::default();
    let before = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..100 {
        let limiter = limiter.clone();
        calls.spawn(async move {
            let permit = limiter.pass(Method::Post, "C", &n.to_string(), Rank::Final).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            permit.worked();
        });
    }
    while calls.join_next().await.transpose().unwrap().is_some() {}
    assert!(before.elapsed() < Duration::from_millis(40), "{:?}", before.elapsed());
    idle(&limiter);
}
