//! What people see of replies and turns, and that Slack takes it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::slack::speech::Speech;
use crate::model::{
    Action, Actor, Approval, ApprovalId, ApprovalState, ConversationId, Message as Asked, Origin, PersonId, Progress, ProjectId,
    SessionId, StepState, Timestamp, ToolLine, ToolState, Turn, TurnId, TurnState, Usage,
};

fn ann(id: &str) -> Option<String> {
    (id == "U123ABC").then(|| "ann".to_owned())
}

fn nobody(_: &str) -> Option<String> {
    None
}

fn turn(state: TurnState) -> Turn {
    let actor = Actor { surface: "slack".into(), id: "U123ABC".into(), name: "ann".into(), groups: Vec::new() };
    let at = Timestamp::from_second(1_700_000_000).expect("a moment");
    Turn {
        id: TurnId(3),
        session: SessionId(12),
        project: ProjectId::from("p"),
        origin: Origin { actor: actor.into(), conversation: ConversationId::from("slack:T1:C1"), input: None },
        message: Asked::new(PersonId("slack:U123ABC".into()), "why does <!here> the checkout test fail?"),
        state,
        reason: None,
        text: "Because.".into(),
        tools: Vec::new(),
        notes: Vec::new(),
        approvals: Vec::new(),
        usage: Some(Usage { total_tokens: Some(2_310), ..Usage::default() }),
        created: at,
        started: Some(at),
        ended: Some(at + std::time::Duration::from_millis(21_400)),
        prompt: None,
        source: None,
        feedback: Vec::new(),
    }
}

fn waiting(arguments: serde_json::Value) -> Approval {
    let at = Timestamp::from_second(1_700_000_000).expect("a moment");
    Approval {
        id: ApprovalId(7),
        turn: TurnId(3),
        session: SessionId(12),
        project: ProjectId::from("p"),
        request: "r".into(),
        tool: "shell".into(),
        title: "sed -i 's/*19*/20/'".into(),
        arguments,
        state: ApprovalState::Open,
        created: at,
        expires: at,
        by: None,
        reason: None,
    }
}

#[test]
fn short_replies_are_text() {
    let said = reply(&Reply::ok("**shop** was created by `slack:U123ABC`, not by U999XYZ."), &ann);
    assert_eq!(said.messages, [Message { text: "*shop* was created by `@ann`, not by U999XYZ.".into(), blocks: None }]);
    let said = reply(&Reply::refused("There is no project `shop`."), &nobody);
    assert_eq!(said.messages[0].text, ":warning: There is no project `shop`.");
    let said = reply(&Reply::failed("```\nx\n```"), &nobody);
    assert_eq!(said.messages[0].text, ":x: \n```\nx\n```");
}

#[test]
fn names_stand_for_ids_but_not_in_commands() {
    let md = "@U123ABC and slack:U123ABC, not xU123ABC or U123ABC-1; `/project share demo @U123ABC`\n```\nU123ABC\n```\n[x](https://x.org/U123ABC)";
    assert_eq!(
        named(md, &ann),
        "@ann and @ann, not xU123ABC or U123ABC-1; `/project share demo @U123ABC`\n```\nU123ABC\n```\n[x](https://x.org/U123ABC)"
    );
    assert_eq!(mrkdwn(&named("U123ABC", &|_| Some("<!here> *x*".into()))), "@&lt;!her\u{200b}e&gt; *\u{200b}x*");
    assert_eq!(named("UNKNOWN WARNING", &ann), "UNKNOWN WARNING");
}

#[test]
fn a_reply_with_buttons() {
    let said = reply(
        &Reply::ok("Created **shop**.")
            .action(Action::new("Activate", "/project activate shop").primary())
            .action(Action::new("Delete", "/project delete shop --yes").danger("Delete `shop` and its files?"))
            .action(Action::new("Far too long", "x".repeat(2_001))),
        &nobody,
    );
    limits::shown(&said);
    insta::assert_json_snapshot!(said.messages[0].blocks);
}

#[test]
fn long_replies_go_on_and_the_longest_are_a_file() {
    let said = reply(&Reply::ok("word & ".repeat(1_000)), &nobody);
    limits::shown(&said);
    assert!(said.files.is_empty() && said.messages.len() > 1);
    let words: usize = said.messages.iter().map(|m| m.text.matches("word").count()).sum();
    assert_eq!(words, 1_000);
    let long = "word ".repeat(10_000);
    let said = reply(&Reply::ok(long.clone()).action(Action::new("Ask", "/ask shop")), &nobody);
    limits::shown(&said);
    assert_eq!(said.files[0].bytes, long.as_bytes());
    assert!(said.messages[0].text.contains("`answer.md`"));
}

#[test]
fn cards_stand_in_place_of_the_text() {
    let card = |n: usize| Card {
        title: format!("shop{n} <3"),
        text: "active · **2** sessions".into(),
        actions: vec![Action::new("Ask", format!("/ask shop{n}")), Action::new("Logs", format!("/project logs shop{n}"))],
    };
    let mut many = Reply::ok("- shop");
    many.cards = (0..60).map(card).collect();
    let said = reply(&many, &nobody);
    limits::shown(&said);
    assert!(said.messages.len() > 1 && !said.messages[0].text.contains("- shop"));
    let text: String = said.messages.iter().map(|m| m.text.clone()).collect();
    assert!((0..60).all(|n| text.contains(&format!("*shop{n} &lt;3*"))));
    let buttons: usize =
        said.messages.iter().map(|m| m.blocks.as_ref().map_or(0, |b| b.to_string().matches("do:").count())).sum();
    assert_eq!(buttons, 120);
}

#[test]
fn an_approval_shows_all_of_it() {
    let shown = approval(&waiting(json!({ "command": "echo '<!here>' ```", "cwd": "/work" })), &Speech::default(), &nobody);
    limits::shown(&shown);
    insta::assert_json_snapshot!(json!({ "text": shown.messages[0].text, "blocks": shown.messages[0].blocks }));
    let decided = Approval {
        state: ApprovalState::Denied,
        by: Some("slack:U123ABC".into()),
        reason: Some("use *staging*".into()),
        ..waiting(json!({}))
    };
    let shown = approval(&decided, &Speech::default(), &ann);
    limits::shown(&shown);
    assert_eq!(
        shown.messages[0].text,
        "*shell* asks to run: sed -i 's/*\u{200b}19*/20/'\n✗ a7 denied by @ann: use *\u{200b}staging*"
    );
    let shown = approval(&waiting(json!({ "content": "line\n".repeat(5_000) })), &Speech::default(), &nobody);
    limits::shown(&shown);
    assert!(shown.files[0].bytes.len() > 25_000 && shown.messages[0].text.contains("a7.txt"));
}

#[test]
fn around_an_answer() {
    let line = ToolLine {
        id: "1".into(),
        tool: "shell".into(),
        title: "cargo test <!here>".into(),
        state: ToolState::Done,
        took: Some(3_140),
        at: 0,
    };
    assert_eq!(tool_line(&line), "▸ shell: cargo test &lt;!her\u{200b}e&gt; … ok, 3.1 s");
    assert_eq!(tool_line(&ToolLine { state: ToolState::Running, ..line }), "▸ shell: cargo test &lt;!her\u{200b}e&gt; …");
    let done = turn_footer(&turn(TurnState::Done), &Speech::default());
    limits::blocks_of(&json!(done), 50);
    assert_eq!(done[0]["elements"][0]["text"], "2\u{202f}310 tokens · 21.4 s");
    assert_eq!(done[1]["elements"][0]["action_id"], "good:t3");
    let mut cut = turn(TurnState::Interrupted);
    cut.reason = Some("Gaggle was restarted".into());
    let cut = turn_footer(&cut, &Speech::default());
    limits::blocks_of(&json!(cut), 50);
    insta::assert_snapshot!(cut[0]["elements"][0]["text"].as_str().unwrap_or_default());
    assert_eq!(cut[1]["elements"][0]["value"], "/session retry s12 --turn t3");
    let now = working(&turn(TurnState::Working));
    limits::message(&now);
    assert!(now.blocks.is_some_and(|b| b.to_string().contains("/session stop s12")));
    let step = |n: usize, state| Progress { step: format!("s{n}"), state, text: format!("step **{n}**") };
    assert_eq!(
        progress(&[step(1, StepState::Done), step(2, StepState::Running), step(3, StepState::Failed)]).text,
        "✓ step *1*\n… step *2*\n✗ step *3*"
    );
    let many: Vec<Progress> = (0..900).map(|n| step(n, StepState::Done)).collect();
    limits::message(&progress(&many));
}

#[test]
fn labels_end_at_words() {
    assert_eq!(parts::label("one two three", 9), "one two…");
    assert_eq!(parts::label("one two three", 8), "one two…");
    assert_eq!(parts::label("onetwothree", 5), "onet…");
    assert_eq!(parts::label(" one\ntwo ", 9), "one two");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn slack_takes_every_reply(
        md in "([a-z&<>*_`|#\n -]{1,60}){0,60}",
        cards in proptest::collection::vec(("\\PC{0,120}", "[a-z&<\n*|`]{0,4000}"), 0..4),
        label in "\\PC{1,100}",
    ) {
        let mut made = Reply::refused(md);
        made.cards = cards.into_iter().map(|(title, text)| Card { title, text, actions: vec![Action::new("x", "/x")] }).collect();
        let made = made.action(Action::new(&format!("x{label}"), "/x").danger(format!("Sure? {label}")));
        limits::shown(&reply(&made, &nobody));
    }
}
