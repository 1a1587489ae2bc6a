//! The one fault of the YAML parser that is known: a tag right before a comma, `[!a, b]`, makes it panic.
//!
//! Invariant: such a panic is told nobody but by what stands in its place.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

pub const TAG_BEFORE_COMMA: &str = "a tag with nothing between it and the comma after it; write its value, or a space";

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs the parser; nothing if it panics.
pub fn guarded<T>(parse: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                before(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let parsed = catch_unwind(AssertUnwindSafe(parse));
    QUIET.set(before);
    parsed.ok()
}

/// Line and column of what looks like it.
pub fn tag_before_comma(text: &str) -> Option<(u32, u32)> {
    text.lines().enumerate().find_map(|(line, content)| {
        let chars: Vec<char> = content.chars().collect();
        let begins = |at: usize| chars[at] == '!' && (at == 0 || chars[at - 1].is_whitespace() || "[{,".contains(chars[at - 1]));
        let ends = |at: usize| chars[at..].iter().find(|c| c.is_whitespace() || "[]{},".contains(**c)) == Some(&',');
        let at = (0..chars.len()).find(|at| begins(*at) && ends(*at))?;
        Some((u32::try_from(line + 1).ok()?, u32::try_from(at + 1).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_place() {
        for (text, place) in [
            ("a: [!a, b]", Some((1, 5))),
            ("a: 1\nb: {x: !reset, y: 1}", Some((2, 8))),
            ("a: [b, !c , d]", None),
            ("a: hello!, you", None),
            ("a: !reset []", None),
            ("", None),
        ] {
            assert_eq!(tag_before_comma(text), place, "{text}");
        }
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic!("as the parser does") }), None);
    }
}
