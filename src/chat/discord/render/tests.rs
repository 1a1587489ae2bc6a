//! Replies within Discord's limits.

use super::*;
use crate::model::Action;

fn within(message: &Message) {
    assert!(message.content.encode_utf16().count() <= 2_000, "{}", message.content);
    assert!(message.embeds.len() <= 10 && message.components.len() <= 5);
    assert!(message.components.iter().all(|row| row["components"].as_array().is_some_and(|b| (1..=5).contains(&b.len()))));
    assert!(!message.content.is_empty() || !message.embeds.is_empty() || !message.components.is_empty());
}

#[test]
fn short_long_and_too_long() {
    let short = reply(&Reply::refused("No such project."));
    assert_eq!(short, [Message::text("⚠️ No such project.")]);
    let long = reply(&Reply::ok("word ".repeat(1_000)));
    assert_eq!(long.len(), 3);
    long.iter().for_each(within);
    let whole: String = long.iter().map(|m| m.content.split_whitespace().count().to_string() + " ").collect();
    assert_eq!(whole.split_whitespace().map(|n| n.parse::<usize>().unwrap()).sum::<usize>(), 1_000);
    let huge = reply(&Reply::ok("line\n".repeat(5_000)));
    assert_eq!((huge.len(), huge[0].files[0].bytes.len()), (1, 25_000));
}

#[test]
fn cards_keep_their_buttons() {
    let card = |n: usize| Card {
        title: format!("shop{n}"),
        text: "active · used by discord:123456789012345678".into(),
        actions: vec![
            Action::new("Ask", format!("/ask shop{n}")),
            Action::new("Delete…", format!("/project delete shop{n} --yes")).danger("Delete it?"),
        ],
    };
    let shown = reply(&Reply { cards: (0..12).map(card).collect(), ..Reply::ok("") });
    assert_eq!(shown.len(), 3);
    shown.iter().for_each(within);
    let first = &shown[0];
    assert_eq!(first.embeds.len(), first.components.len());
    assert_eq!(first.embeds[0]["description"], "active · used by <@123456789012345678>");
    // It is asked by the engine.
    assert_eq!(first.components[0]["components"][1]["custom_id"], "do:/project delete shop0");
}
