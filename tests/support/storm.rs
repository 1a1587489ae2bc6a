//! What the storms of all platforms have in common: their size, their moments, and what their people count afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::bot::{Bot, Platform};

/// Small, and the same everywhere.
pub struct Random(u64);

impl Random {
    /// The seed is printed; `GAGGLE_TEST_SEED` tells the same story again, as far as the machine lets it.
    pub fn seeded() -> Self {
        let seed = std::env::var("GAGGLE_TEST_SEED").ok().and_then(|s| s.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let seed = seed.unwrap_or(now.as_nanos() as u64 | 1);
        eprintln!("GAGGLE_TEST_SEED={seed}");
        Self(seed)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// What a team does, and how often it is disturbed.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub commands: usize,
    pub messages: usize,
    pub breaks: usize,
}

/// What somebody does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Command(usize),
    Message(usize),
    Break(usize),
}

impl Size {
    /// So much as fits between other tests; the whole, where `GAGGLE_TEST_FULL` is set.
    pub fn of(small: [usize; 3], full: [usize; 3]) -> Self {
        let [commands, messages, breaks] = if std::env::var_os("GAGGLE_TEST_FULL").is_some() { full } else { small };
        Self { commands, messages, breaks }
    }

    /// All of it in a random order, but each kind by its numbers. It begins and ends undisturbed.
    pub fn steps(self, random: &mut Random) -> Vec<Step> {
        let mut left = [self.commands, self.messages, self.breaks];
        let mut steps = Vec::new();
        loop {
            let calm = steps.len() < 5 || left[0] + left[1] < 5;
            let weights = [left[0], left[1], if calm { 0 } else { left[2] }];
            let all = weights.iter().sum::<usize>();
            if all == 0 {
                return steps;
            }
            let mut at = random.below(all as u64) as usize;
            let kind = weights
                .iter()
                .position(|w| {
                    at < *w || {
                        at -= w;
                        false
                    }
                })
                .expect("one of them");
            let number = [self.commands, self.messages, self.breaks][kind] - left[kind];
            left[kind] -= 1;
            steps.push([Step::Command, Step::Message, Step::Break][kind](number));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Connections go, and what was on them comes again.
    Connections,
    /// … or the program.
    Program,
}

/// Who works while it breaks.
pub trait Team {
    type Platform: Platform;
    /// Between two things that are said.
    const PACE: Duration;

    fn bot(&mut self) -> &mut Bot<Self::Platform>;
    fn command(&mut self, n: usize);
    fn message(&mut self, n: usize);
    /// One connection or some, in one of the ways in which they break.
    fn disconnect(&mut self, n: usize);
}

/// All that is said, until the program is ready for the last time.
pub async fn breaks_loose<T: Team>(team: &mut T, size: Size, what: Break) {
    let mut random = Random::seeded();
    // Steps until the program that was killed is started again.
    let mut back = 0;
    let began = Instant::now();
    for step in size.steps(&mut random) {
        if back > 0 {
            back -= 1;
            if back == 0 {
                team.bot().launch();
                // Now and then the next kill comes while the last one is still being mended.
                if random.below(4) > 0 {
                    team.bot().ready().await;
                }
            }
        }
        match step {
            Step::Command(n) => team.command(n),
            Step::Message(n) => team.message(n),
            Step::Break(n) if what == Break::Connections => team.disconnect(n),
            Step::Break(_) => {
                if back == 0 {
                    team.bot().kill().await;
                    back = 1 + random.below(20);
                }
            }
        }
        tokio::time::sleep(T::PACE).await;
    }
    if back > 0 {
        team.bot().launch();
    }
    team.bot().ready().await;
    eprintln!("all was said in {:?}", began.elapsed());
}

/// How often each project was told to be there.
pub fn created<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut created = BTreeMap::new();
    for text in texts {
        if let Some(name) = text.strip_prefix("Created the project `").and_then(|rest| rest.split('`').next()) {
            *created.entry(name.to_owned()).or_default() += 1;
        }
    }
    created
}

/// The numbered words of a text, in order.
pub fn counted(text: &str) -> Vec<String> {
    let is_word = |word: &&str| word.strip_prefix('w').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    text.split_whitespace().filter(is_word).map(str::to_owned).collect()
}

/// Answers in numbered words, one after the other: how long each is.
#[track_caller]
pub fn lengths(words: &[String]) -> Vec<usize> {
    let mut lengths: Vec<usize> = Vec::new();
    for word in words {
        let number: usize =
            word.strip_prefix('w').and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{word:?} in {words:?}"));
        match lengths.last_mut() {
            Some(last) if number == *last + 1 => *last = number,
            _ if number == 1 => lengths.push(1),
            _ => panic!("{word} is out of its place in {words:?}"),
        }
    }
    lengths
}

/// Each question has its answer, in any order. What was interrupted may be shorter, or not there at all.
#[track_caller]
pub fn answered(words: &[String], asked: &[usize], interrupted: usize) {
    let (mut lengths, mut asked) = (lengths(words), asked.to_vec());
    lengths.sort_unstable();
    asked.sort_unstable();
    if interrupted == 0 {
        return assert_eq!(lengths, asked);
    }
    let mut left = asked.iter();
    for length in &lengths {
        assert!(left.any(|most| length <= most), "{lengths:?} are no answers to {asked:?}");
    }
    let whole = lengths.iter().filter(|length| asked.contains(length)).count();
    assert!(whole + interrupted >= asked.len(), "{lengths:?} of {asked:?}, {interrupted} interrupted");
}
