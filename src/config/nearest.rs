//! What was probably meant by a name that there is not.

use super::keys::{KEYS, Key, sections};

/// The fix of an unknown key: the one that was meant, else those that there are beside it.
pub fn key(section: Option<&str>, bare: &str) -> String {
    if let Some(key) = meant(section, bare) {
        return format!("did you mean `{}`?", key.name);
    }
    let beside: Vec<_> = KEYS.iter().filter(|key| key.section() == section).map(Key::bare).collect();
    match section {
        Some(section) if !beside.is_empty() => {
            format!("remove it, or use one that `[{section}]` has: {}", beside.join(", "))
        }
        _ => self::section(section.unwrap_or(bare)),
    }
}

/// The fix of an unknown section.
pub fn section(name: &str) -> String {
    let name = plain(name);
    match closest(sections().into_iter(), |section| distance(&name, section)) {
        Some(near) => format!("did you mean `[{near}]`?"),
        None => format!("remove it, or use one of the sections {}", sections().join(", ")),
    }
}

/// The fix of a variable that has the form of ours.
pub fn variable(section: &str, bare: &str) -> String {
    match meant(Some(section), bare) {
        Some(key) => format!("did you mean `{}`?", key.variable()),
        None => self::key(Some(section), bare),
    }
}

/// The variable that was meant by one that lacks an underscore or has one too many.
pub fn underscores(name: &str) -> Option<String> {
    let squeeze = |name: &str| name.replace('_', "").to_uppercase();
    KEYS.iter().map(Key::variable).find(|ours| squeeze(ours) == squeeze(name))
}

fn meant(section: Option<&str>, bare: &str) -> Option<&'static Key> {
    let (section, bare) = (section.map(plain), plain(bare));
    let distance = |key: &&Key| {
        let sections = match (section.as_deref(), key.section()) {
            (Some(typed), Some(known)) => distance(typed, known)?,
            (None, None) => 0,
            _ => return None,
        };
        Some(sections + distance(&bare, key.bare())?)
    };
    closest(KEYS.iter(), distance).or_else(|| KEYS.iter().find(|key| key.bare() == bare))
}

fn closest<T>(known: impl Iterator<Item = T>, distance: impl Fn(&T) -> Option<usize>) -> Option<T> {
    known.filter_map(|known| Some((distance(&known)?, known))).min_by_key(|(far, _)| *far).map(|(_, known)| known)
}

/// If they are near enough for one to be meant by the other.
fn distance(typed: &str, known: &str) -> Option<usize> {
    let allowed = (typed.chars().count() / 3).clamp(1, 3);
    Some(strsim::damerau_levenshtein(typed, known)).filter(|distance| *distance <= allowed)
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_").chars().take(64).collect()
}
