//! Texts that are too long, and such that grow.

use proptest::prelude::*;

use super::*;
use crate::chat::slack::markdown::{mrkdwn, streamed};

#[test]
fn code_is_closed_and_opened_anew() {
    let md = "Look at this:\n\n```rust\nfn one() {}\nfn two() {}\n\nfn three() {}\n```\n\nand so on";
    assert_eq!(
        pieces(md, 80),
        ["Look at this:\n\n```rust\nfn one() {}\n```", "```rust\nfn two() {}\n\nfn three() {}\n```\n\nand so on"]
    );
}

#[test]
fn a_table_has_its_head_again() {
    let md = "| a | b |\n|---|---|\n| one | 1 |\n| two | 2 |\n| three | 3 |\n";
    let found = pieces(md, 170);
    assert!(found.len() > 1);
    for piece in &found {
        assert!(piece.starts_with("| a | b |\n|---|---|\n| "), "{piece}");
        assert!(piece.lines().all(|l| l.starts_with('|') && l.ends_with('|')), "{piece}");
    }
}

#[test]
fn it_breaks_at_paragraphs_then_lines_then_words() {
    assert_eq!(pieces("one two three\n\nfour five six", 20), ["one two three", "four five six"]);
    assert_eq!(pieces("one two three\nfour five six", 20), ["one two three", "four five six"]);
    assert_eq!(pieces("one two three four five six", 20), ["one two three four", "five six"]);
    assert_eq!(pieces("abcdefghijklmnopqrstuvwxyz", 10), ["abcdefghij", "klmnopqrst", "uvwxyz"]);
    assert_eq!(pieces("", 10), Vec::<String>::new());
    assert_eq!(pieces("\n\n", 10), Vec::<String>::new());
}

#[test]
fn what_stood_deep_in_a_list_is_no_code() {
    let md = "- one\n  - two\n    - three three three\n    - four four four\n  - five five five\n";
    for piece in pieces(md, 60) {
        assert!(!mrkdwn(&piece).contains("```"), "{piece}");
    }
}

fn texts() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            4 => "[a-z]{1,9} ", 1 => Just("\n".to_owned()), 1 => Just("\n\n".to_owned()), 1 => Just("\n```rust\n".to_owned()),
            1 => Just("\n```\n".to_owned()), 1 => Just("\n| a | b |\n|---|---|\n| c & d | eeeeeee |\n| f | g |\n".to_owned()),
            1 => Just("| row | x |\n".to_owned()), 1 => Just("**bold** ".to_owned()), 1 => Just("*i*".to_owned()), 1 => Just("`c`".to_owned()),
            1 => Just("\n- item ".to_owned()), 1 => Just("\n    - deep ".to_owned()), 1 => Just("\n> quote ".to_owned()),
            1 => Just("<&>@here ".to_owned()), 1 => Just("\n# Title\n".to_owned()), 1 => Just("é漢字 ".to_owned()),
            1 => Just("https://x.org/a ".to_owned()), 1 => Just("\n---\n".to_owned()), 1 => Just("\n~~~\n".to_owned()),
            1 => Just("[l](https://x.org)".to_owned()), 1 => Just("~".to_owned()), 1 => Just("|".to_owned()),
        ],
        0..60,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn ended_pieces_stay(md in texts(), most in 60_usize..300) {
        let whole = pieces(&md, most);
        for (at, _) in md.char_indices() {
            let early = pieces(&md[..at], most);
            let ended = early.len().saturating_sub(1);
            prop_assert!(whole.len() >= ended);
            prop_assert_eq!(&early[..ended], &whole[..ended], "{:?}", &md[..at]);
        }
    }

    #[test]
    fn pieces_fit(md in texts(), most in 120_usize..400) {
        for piece in pieces(&md, most) {
            let shown = mrkdwn(&piece);
            prop_assert!(shown.len() <= most, "{} > {most}: {piece:?} {shown:?}", shown.len());
            let shown = streamed(&piece, true);
            prop_assert!(shown.len() <= most, "{} > {most}: {piece:?} {shown:?}", shown.len());
        }
    }

    #[test]
    fn no_word_is_lost(md in "([a-z0-9]{1,9}[ ,.]|\n|\n\n|- |> |é|    ){0,80}", most in 30_usize..120) {
        let joined = pieces(&md, most).join("");
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(bare(&joined), bare(&md));
    }

    #[test]
    fn code_is_exact(code in "([a-z{}();|# ]{0,20}\n){1,20}", most in 60_usize..120) {
        let md = format!("```sh\n{code}```");
        let mut joined = String::new();
        for piece in pieces(&md, most) {
            let inner = piece.strip_prefix("```sh\n").and_then(|p| p.strip_suffix("```"));
            prop_assert!(inner.is_some(), "{piece:?}");
            joined.push_str(inner.unwrap_or_default());
        }
        prop_assert_eq!(joined, code);
    }
}
