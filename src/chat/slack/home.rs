//! App Home: one's projects, each with what can be done with it. Asks nobody: it shows the cards that it is given.

use serde_json::{Value, json};

use super::blocks::parts::{Row, context, plain_text, section};
use super::blocks::{Names, SECTION, card_parts, named};
use super::markdown::mrkdwn;
use super::speech::{At, Speech};
use crate::chat::split::pieces;
use crate::model::{Action, Card};

const BLOCKS: usize = 100;

/// For whom there is nothing but what is said.
pub fn closed(said: &str, names: Names<'_>) -> Value {
    let shown = mrkdwn(&named(said, names));
    let blocks: Vec<Value> = pieces(&shown, SECTION).iter().take(1).map(|part| section(part)).collect();
    json!({ "type": "home", "blocks": blocks })
}

/// `said`: what came of the last thing that was done here.
pub fn view(cards: &[Card], said: Option<&str>, speech: &Speech, names: Names<'_>) -> Value {
    let mut row = Row::default();
    let mut blocks = vec![json!({ "type": "header", "text": plain_text("Your projects") })];
    if let Some(said) = said {
        let shown = mrkdwn(&named(said, names));
        blocks.extend(pieces(&shown, SECTION).iter().take(1).map(|part| section(part)));
    }
    if cards.is_empty() {
        blocks.push(section(
            "You have no project yet. A project is an environment of its own with an AI agent in it: create one, then mention me in a \
             channel or write to me here.",
        ));
    }
    blocks.extend(row.of(&[Action::new("Create a project", "/project create").primary()]));
    for (at, card) in cards.iter().enumerate() {
        let (mut parts, _) = card_parts(card, names);
        let mut numbered = row.of(&card.actions);
        parts.append(&mut numbered);
        // Room for the last line stays.
        if blocks.len() + 1 + parts.len() >= BLOCKS {
            let more = format!("… and {} more: `/project list` shows all.", cards.len() - at);
            blocks.push(context(&speech.text(&more, At::Channel)));
            break;
        }
        blocks.push(json!({ "type": "divider" }));
        blocks.extend(parts);
    }
    json!({ "type": "home", "blocks": blocks })
}

#[cfg(test)]
mod tests {
    use super::super::blocks::limits;
    use super::*;

    #[test]
    fn some_none_and_too_many() {
        let card = |n: usize| Card {
            title: format!("shop{n}"),
            text: "**active**, last used by U123ABC".into(),
            actions: vec![
                Action::new("Ask", format!("/ask shop{n}")),
                Action::new("Delete", format!("/project delete shop{n}")).danger("Delete it?"),
            ],
        };
        let names = |id: &str| (id == "U123ABC").then(|| "ann".to_owned());
        let speech = Speech::default();
        let one = view(&[card(1)], None, &speech, &names);
        limits::view(&one);
        assert_eq!(one["blocks"][3]["text"]["text"], "*shop1*\n*active*, last used by @ann");
        let none = view(&[], None, &speech, &names);
        limits::view(&none);
        assert_eq!(none["blocks"][2]["elements"][0]["value"], "/project create");
        let cards: Vec<Card> = (0..60).map(card).collect();
        let many = view(&cards, None, &speech, &names);
        limits::view(&many);
        let last = many["blocks"].as_array().and_then(|b| b.last()).map(|b| b["elements"][0]["text"].clone());
        assert_eq!(last, Some(json!("… and 28 more: `/project list` shows all.")));
    }
}
