//! Names as whole words, and what the last of them says: in `orders-redis` the thing is a Redis, in `redis-orders-api` an API.
//!
//! Invariant: no letter of a word ever counts alone: `mongoose` is not `mongo`. Never panics, whatever the text.

use std::collections::HashMap;

use super::lexicon::{APPLICATIONS, NEUTRAL, OTHER, OTHER_IMAGES, PASSING, PROGRAMS, STORES};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Kind(usize),
    Other { passing: bool },
    Application,
    Neutral,
}

/// What a name says that its thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    Kind(usize),
    /// Something that works with a store.
    Other {
        passing: bool,
    },
    Unknown,
}

/// The words that mean something, each with its meaning.
#[derive(Debug, Clone, Default)]
pub struct Words {
    known: HashMap<String, Word>,
    images: HashMap<String, Word>,
}

impl Words {
    /// `kinds`: the words of each kind, in the order of the kinds. They win over everything else, so that a kind of the user's own
    /// may be called `thanos`.
    pub fn new<'a>(kinds: impl Iterator<Item = &'a [String]>) -> Self {
        let mut known = HashMap::new();
        let passing = |word: &str| Word::Other { passing: PASSING.contains(&word) };
        for word in NEUTRAL {
            known.insert((*word).to_owned(), Word::Neutral);
        }
        for word in OTHER.iter().chain(PROGRAMS) {
            known.insert((*word).to_owned(), passing(word));
        }
        for word in APPLICATIONS {
            known.insert((*word).to_owned(), Word::Application);
        }
        let mut images = HashMap::new();
        for word in OTHER_IMAGES {
            images.insert((*word).to_owned(), passing(word));
        }
        for (kind, words) in kinds.enumerate() {
            for word in words.iter().filter(|word| !word.is_empty()) {
                known.insert(word.to_lowercase(), Word::Kind(kind));
                images.remove(word.as_str());
            }
        }
        Self { known, images }
    }

    fn one(&self, word: &str) -> Option<Word> {
        let bare = || word.trim_end_matches(|c: char| c.is_ascii_digit());
        self.known.get(word).or_else(|| self.known.get(bare())).copied()
    }

    /// From the right, the first word that means something. `redis-for-api` ends before `for`.
    pub fn head(&self, name: &str) -> Head {
        self.last(&split(name), |_| None)
    }

    /// The same of an image, where any word that means something else decides: `exporter-redis` is an exporter too.
    pub fn image(&self, name: &str) -> Head {
        let words = split(name);
        let own = |word: &str| self.images.get(word).copied();
        for word in &words {
            match own(word).or_else(|| self.one(word)) {
                Some(Word::Other { passing }) => return Head::Other { passing },
                Some(Word::Application) if !words.iter().any(|word| STORES.contains(&word.as_str())) => {
                    return Head::Other { passing: false };
                }
                _ => {}
            }
        }
        self.last(&words, own)
    }

    fn last(&self, words: &[String], own: impl Fn(&str) -> Option<Word>) -> Head {
        let end = words.iter().position(|word| word == "for").unwrap_or(words.len());
        let mut unknown = Head::Unknown;
        for at in (0..end).rev() {
            let joined = at.checked_sub(1).and_then(|before| self.known.get(&format!("{}{}", words[before], words[at])));
            let meant = own(&words[at]).or_else(|| joined.copied()).or_else(|| self.one(&words[at]));
            match meant {
                Some(Word::Kind(kind)) => return Head::Kind(kind),
                Some(Word::Other { passing }) => return Head::Other { passing },
                // Of `harbor-db` nobody knows what it is, but no Harbor.
                Some(Word::Application) if !words[at..end].iter().any(|word| STORES.contains(&word.as_str())) => {
                    unknown = Head::Other { passing: false };
                }
                _ => {}
            }
        }
        unknown
    }

    /// Whether a name says that the thing is some store.
    pub fn is_store(&self, name: &str) -> bool {
        let words = split(name);
        words.iter().any(|word| STORES.contains(&word.as_str())) && self.head(name) == Head::Unknown
    }

    /// Whether a name is that of an application, and of nothing else.
    pub fn is_application(&self, name: &str) -> bool {
        let mut words =
            split(name).into_iter().filter_map(|word| self.one(&word)).filter(|word| *word != Word::Neutral).peekable();
        words.peek().is_some() && words.all(|word| word == Word::Application)
    }

    /// Whether no word of a name tells anything.
    pub fn says_nothing(&self, name: &str) -> bool {
        let digits = |word: &str| word.chars().all(|c| c.is_ascii_digit());
        split(name).iter().all(|word| digits(word) || matches!(self.one(word), Some(Word::Neutral)))
    }
}

/// The words of a name, in lower case.
pub fn split(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}
