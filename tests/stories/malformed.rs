//! What people and scripts type wrongly: each is refused with a sentence, and nothing else happens.

use gaggle_commands::is_command;
use serde_json::json;

use crate::support::tester::{SECRET, Said, Tester};

#[path = "../../commands/tests/typed.rs"]
mod typed;

/// A sentence, and nothing of what must not be repeated.
#[track_caller]
fn told(said: &Said, typed: &str) {
    let text = said.text();
    let first = text.lines().next().unwrap_or_default();
    assert!(first.len() > 12 && first.ends_with(['.', '?']), "{typed:?} has no sentence: {text}");
    assert!(!text.contains(SECRET), "{typed:?}: {text}");
    assert!(!said.ok, "{typed:?} is taken");
}

async fn nothing_was_done(t: &Tester) {
    assert_eq!(t.say("/project list").await.ok().data("projects"), json!([]));
    assert_eq!(t.say("/secret list").await.ok().data("secrets"), json!([]));
    assert_eq!(t.say("/thread").await.ok().data("threads"), json!([]));
}

#[tokio::test]
async fn commands_with_mistakes() {
    assert!(typed::TYPED.len() >= 200);
    let t = Tester::start().await;
    for (text, part) in typed::TYPED {
        let said = t.say(text).await;
        told(&said, text);
        if is_command(text) && !text.contains('\0') {
            assert!(said.text().contains(part), "{text:?} is not told {part:?}: {}", said.text());
        }
    }
    nothing_was_done(&t).await;
    t.done().await;
}

#[tokio::test]
async fn the_same_as_plain_lines() {
    let t = Tester::start().await;
    for (text, _) in typed::TYPED.iter().filter(|(text, _)| !text.contains('\n') && !text.trim().is_empty()) {
        told(&t.line(text).await.end().await, text);
    }
    nothing_was_done(&t).await;
    t.done().await;
}

#[tokio::test]
async fn names_that_there_are_not() {
    let t = Tester::start().await;
    for (command, part) in [
        ("/project show nope", "no project `nope`"),
        ("/project show ann/nope", "no project `nope`"),
        ("/project activate nope", "no project `nope`"),
        ("/project deactivate nope", "no project `nope`"),
        ("/project restart nope", "no project `nope`"),
        ("/project delete nope", "no project `nope`"),
        ("/project delete nope --yes", "no project `nope`"),
        ("/project rename nope other", "no project `nope`"),
        ("/project update nope --mode auto", "no project `nope`"),
        ("/project share nope @ann", "no project `nope`"),
        ("/project unshare nope @ann", "no project `nope`"),
        ("/project logs nope", "no project `nope`"),
        ("/project status nope", "no project `nope`"),
        ("/project exec nope -- ls", "no project `nope`"),
        ("/project secret set nope KEY", "no project `nope`"),
        ("/project secret list nope", "no project `nope`"),
        ("/project secret unset nope KEY", "no project `nope`"),
        ("/ask nope hello", "no project `nope`"),
        ("/session list nope", "no project `nope`"),
        ("/session show s7", "no session `s7`"),
        ("/session stop s7", "no session `s7`"),
        ("/session retry s7", "no session `s7`"),
        ("/session export s7", "no session `s7`"),
        ("/session delete s7", "no session `s7`"),
        ("/session rename title s7", "no session `s7`"),
        ("/approve", "No approval is open here"),
        ("/deny", "No approval is open here"),
        ("/approve a7", "no approval `a7`"),
        ("/deny a7 --reason because", "no approval `a7`"),
        ("/secret unset KEY", "no secret of that name"),
        ("/thread 1", "no thread 1"),
    ] {
        t.say(command).await.refused().has(part);
    }
    t.snapshot("names_that_there_are_not");
    t.done().await;
}

/// A line, and the id that its end has.
fn garbage() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let mut lines: Vec<(Vec<u8>, Option<&'static str>)> = [
        ("{", None),
        ("{}", None),
        ("{]", None),
        ("{\"id\":\"g\"", None),
        ("{\"id\":\"g\",\"text\":\"hunter2", None),
        ("{\"id\":\"g\",\"text\":\"hunter2\"} more", None),
        ("{\"id\":\"g\",\"text\":\"hunter2\"}{\"id\":\"h\",\"text\":\"/help\"}", None),
        ("{'id':'g','text':'hunter2'}", None),
        ("{\"id\":\"g\",\"text\":\"\\ud800\"}", None),
        ("{\"id\":\"g\",\"text\":\"\\x\"}", None),
        ("{\"id\":\"g\",\"text\":hunter2}", None),
        ("{\"id\":\"g\",\"text\":NaN}", None),
        ("{\"id\":\"g\"}", Some("g")),
        ("{\"id\":7,\"text\":\"/help\"}", None),
        ("{\"id\":null,\"text\":\"/help\"}", None),
        ("{\"id\":[\"g\"],\"text\":\"/help\"}", None),
        ("{\"id\":\"g\",\"text\":5}", Some("g")),
        ("{\"id\":\"g\",\"text\":null}", Some("g")),
        ("{\"id\":\"g\",\"text\":[\"hunter2\"]}", Some("g")),
        ("{\"id\":\"g\",\"text\":{\"hunter2\":1}}", Some("g")),
        ("{\"id\":\"g\",\"txt\":\"hunter2\"}", Some("g")),
        ("{\"id\":\"g\",\"text\":\"hunter2\",\"more\":1}", Some("g")),
        ("{\"id\":\"g\",\"Text\":\"hunter2\"}", Some("g")),
        ("{\"id\":\"g\",\"type\":\"message\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"text\":\"nul \\u0000 hunter2\"}", Some("g")),
        ("{\"id\":\"g\",\"conversation\":\"\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"conversation\":5,\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"conversation\":\"a#1\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"conversation\":\"a\\nb\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"user\":\"\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"user\":\"a b\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"user\":\"console:operator\",\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"user\":true,\"text\":\"x\"}", Some("g")),
        ("{\"id\":\"g\",\"form\":1,\"values\":{}}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"values\":\"hunter2\"}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"values\":[\"hunter2\"]}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"values\":{\"value\":5}}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"values\":{\"value\":[\"hunter2\"]}}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"values\":{},\"cancel\":true}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"cancel\":\"yes\"}", Some("g")),
        ("{\"id\":\"g\",\"form\":\"f1\",\"text\":\"hunter2\"}", Some("g")),
        ("{\"id\":\"g\",\"values\":{\"value\":\"hunter2\"}}", Some("g")),
        ("{\"id\":\"g\",\"cancel\":true}", Some("g")),
        ("  {\"id\":\"g\",\"text\":7}  ", Some("g")),
    ]
    .map(|(line, id)| (line.as_bytes().to_vec(), id))
    .into();
    let long = "x".repeat(2 * 1024 * 1024);
    lines.push((format!("{{\"id\":\"g\",\"text\":\"{SECRET}{long}\"}}").into_bytes(), None));
    lines.push((format!("/ask demo {SECRET}{long}").into_bytes(), None));
    lines.push((b"/ask demo \xff\xfe hunter2".to_vec(), None));
    lines.push((b"{\"id\":\"g\",\"text\":\"\xff hunter2\"}".to_vec(), None));
    lines.push((format!("{{\"id\":\"g\",\"text\":{}", "[".repeat(100_000)).into_bytes(), None));
    lines.push((format!("{{\"id\":\"{}\",\"text\":\"x\"}}", "i".repeat(500)).into_bytes(), None));
    lines
}

#[tokio::test]
async fn lines_that_are_nothing() {
    let t = Tester::start().await;
    for (line, id) in garbage() {
        t.garbage(&line, id).await.invalid();
    }
    nothing_was_done(&t).await;
    t.snapshot("lines_that_are_nothing");
    t.done().await;
}

#[tokio::test]
async fn garbage_beside_an_answer_harms_nothing() {
    let t = Tester::start().await;
    t.say("/project create demo --env GAGGLE_DEMO_PACE_MS=5").await.ok();
    let answer = t.begin("/ask demo say 300 words").await;
    answer.text().await;
    for (line, id) in garbage() {
        t.garbage(&line, id).await.invalid();
    }
    // Empty lines are nothing at all.
    t.send_json(json!({ "text": "/status" })).await.end().await.ok();
    let said = answer.end().await.ok();
    assert_eq!(said.turn()["text"].as_str().unwrap(), crate::support::llm::words(300));
    t.done().await;
}

/// The longest line that is taken, and text that a careless reader cuts or changes.
#[tokio::test]
async fn what_is_right_is_taken_as_it_stands() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/ask demo say 1 word").await.ok();
    let long = "ä".repeat(500 * 1024);
    t.say(&long).await.ok();
    for text in
        ["\u{feff}bom", "tab\there", "line\r\nfeed\n\nand more  ", "{\"not\":\"ours\"}", "🦆\u{200d}🪿", "\u{1b}[31mred", "/"]
    {
        t.say(text).await.ok();
        let turns = t.say("/session show").await.ok().data("turns");
        assert_eq!(turns.as_array().unwrap().last().unwrap()["message"], text);
    }
    let turns = t.say("/session show").await.ok().data("turns");
    assert_eq!(turns[1]["message"], long);
    t.done().await;
}
