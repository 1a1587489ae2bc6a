//! Markdown that agents write, and what Slack gets of it.

use proptest::prelude::*;

use super::*;

#[test]
fn what_agents_write() {
    let md = "# The *fix* is **in**\n\nThe rounding used the ~~new~~ old rate, see [the log](https://ci.example.com/?a=1&b=2).\nIt was *really* __simple__ & `a < b`.\n\n\
1. one\n2. two\n   - nested **bold**\n     - deeper\n   - [x] done\n   - [ ] open\n3. three\n\n\
> quoted *text*\n> and more\n>\n> second\n\n---\n\n```rust\nlet a: Vec<&str> = vec![\"*x*\"];\n```\n\n\
| File | Lines |\n|:-----|------:|\n| `src/main.rs` | 12 |\n| größe.rs | 1 024 |\n\n![shot](https://x.org/s.png) and [local](src/main.rs) <https://x.org> ann@x.org";
    insta::assert_snapshot!(mrkdwn(md));
}

#[test]
fn nobody_is_called_and_nothing_is_linked_by_the_way() {
    let md = "<!here> <!channel> <@U123ABC> @everyone <https://x.org|trap> `<!here>` [<!here>](https://x.org)\n\n```\n<!here>\n```\n\n    <!channel>\n\n<div><!here></div>";
    insta::assert_snapshot!(mrkdwn(md));
}

#[test]
fn signs_that_are_meant_stay_what_they_are() {
    for (md, want) in [
        ("snake_case_name and *.rs and 2 * 3 * 4", "snake_case_name and *.rs and 2 * 3 * 4"),
        (r"\*not bold\* and \_not\_", "*\u{200b}not bold* and _\u{200b}not_"),
        (r"a \`tick\` b", "a ˋtickˋ b"),
        ("un**believ**able", "un\u{200b}*believ*\u{200b}able"),
        ("**two\nlines**", "*two*\n*lines*"),
        ("``a`b``", "`aˋb`"),
        (r"\> no quote", "\u{200b}&gt; no quote"),
        ("see https://x.org/a_b_c_(d), ok?", "see <https://x.org/a_b_c_(d)>, ok?"),
        ("[js](javascript:alert(1))", "js (javascript:alert(1))"),
        ("[a|b>c](https://x.org/a|b)", "<https://x.org/a%7Cb|a|b&gt;c>"),
        ("~/src and ~/x", "~/src and ~/x"),
        ("a\n- b\n\nc", "a\n\n• b\n\nc"),
        ("- ```\n  code\n  ```\n- x", "• \n```\ncode\n```\n• x"),
        ("~~~\n```\n~~~", "```\n`\u{200b}`\u{200b}`\n```"),
        ("&lt;!here&gt; &amp;", "&lt;!her\u{200b}e&gt; &amp;"),
        ("| a |\n|---|\n| b |\nunder it", "```\na\n-\nb\n```\nunder it"),
        ("", ""),
    ] {
        assert_eq!(mrkdwn(md), want, "{md}");
    }
}

#[test]
fn a_stream_shows_tables_when_they_are_whole() {
    let md = "Look:\n\n| a | b |\n|---|--:|\n| x | 10 |\n| `y` | 2 |\n\nDone | so.\n```\n| no | table |\n|---|---|\n```\n";
    assert_eq!(
        streamed(md, true),
        "Look:\n\n```\na   b\n-  --\nx  10\ny   2\n```\n\nDone | so.\n```\n| no | table |\n|---|---|\n```\n"
    );
    assert_eq!(streamed("Look:\n\n| a", false), "Look:\n\n");
    assert_eq!(streamed("Look:\n\n| a", true), "Look:\n\n| a");
    assert_eq!(streamed("| a |\nno", false), "| a |\nno");
    assert_eq!(streamed("| a |\n|---|", false), "");
    assert_eq!(streamed("| a |\n|---|", true), "```\na\n-\n```\n");
    assert_eq!(streamed("a partial wor", false), "a partial wor");
    assert_eq!(streamed("<!here> <@U1>", true), "<!her\u{200b}e> <@\u{200b}U1>");
}

fn pieces() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("| a | b |\n"),
            Just("|---|---|\n"),
            Just("|"),
            Just("\n"),
            Just("```"),
            Just("```rust\n"),
            Just("\n```\n"),
            Just("  "),
            Just("word "),
            Just("é*_~`"),
            Just("<!here>"),
            Just("@channel"),
            Just("- x\n"),
            Just("> q\n"),
            Just("~~~\n"),
            Just("\\|"),
            Just("\t"),
            Just("\r\n"),
            Just("-"),
            Just("[l](https://x.org)"),
            Just("**b**"),
            Just("1. n\n"),
            Just("    c\n"),
            Just("<"),
        ],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn what_is_streamed_only_grows(md in pieces()) {
        let (open, done) = (streamed(&md, false).into_owned(), streamed(&md, true).into_owned());
        prop_assert!(done.starts_with(&open), "{open:?} {done:?}");
        for (at, _) in md.char_indices() {
            let before = streamed(&md[..at], false);
            prop_assert!(open.starts_with(&*before), "{:?}: {before:?} {open:?}", &md[..at]);
        }
    }

    #[test]
    fn what_is_no_table_and_calls_nobody_stays(md in "[a-z#*_`~>!\\[\\]()é \n0-9.-]{0,120}") {
        prop_assert_eq!(streamed(&md, true), md.as_str());
        let open = streamed(&md, false);
        prop_assert_eq!(open.trim_end_matches(' '), md.trim_end_matches(' '));
    }

    #[test]
    fn no_reference_is_made_but_links(md in pieces()) {
        let shown = mrkdwn(&md);
        for (at, _) in shown.match_indices('<') {
            prop_assert!(shown[at..].starts_with("<http") || shown[at..].starts_with("<mailto:"), "{shown}");
        }
    }

    #[test]
    fn any_text_is_shown(md in "\\PC{0,80}") {
        let _ = mrkdwn(&md);
        let _ = streamed(&md, false);
    }
}
