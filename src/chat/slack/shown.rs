//! What a message shows besides its `text`: attachments, as alerts and forwarded messages have them, and blocks where they are all
//! that there is. As Slack writes it, so that it is read like any other text.
//!
//! Invariant: bounded, and ended at a line. Absence: files, images and what can be pressed.

use serde_json::Value;

use super::payload::Message;
use super::text::escape;

/// Characters of what one message shows.
const MOST: usize = 12_000;
/// Blocks within blocks.
const DEPTH: usize = 6;
/// What Slack and apps write where a client cannot show blocks.
const PLACEHOLDERS: [&str; 2] = ["This content can't be displayed.", "This message contains interactive elements."];

/// What it says itself.
pub fn said(message: &Message) -> String {
    let text = message.text.trim();
    if !text.is_empty() && !PLACEHOLDERS.contains(&text.replace('’', "'").as_str()) {
        return message.text.0.clone();
    }
    bounded(&blocks(&message.blocks.0, 0))
}

/// What hangs below it.
pub fn attached(message: &Message) -> String {
    let all = message.attachments.0.iter().map(attachment);
    bounded(&all.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n"))
}

/// All of it, as its author's words.
pub fn whole(message: &Message) -> String {
    joined(&said(message), &attached(message))
}

/// What somebody says, and below it as a quote what came with that.
pub fn with_quote(message: &Message) -> String {
    let attached = attached(message);
    let quote: Vec<String> = attached.lines().map(|line| format!("> {line}")).collect();
    joined(&said(message), &quote.join("\n"))
}

fn joined(above: &str, below: &str) -> String {
    let parts = [above, below].map(str::trim).into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n")
}

fn bounded(text: &str) -> String {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(MOST) else { return text.to_owned() };
    let end = text[..end].rfind('\n').unwrap_or(end);
    format!("{}\n…", &text[..end])
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default().trim()
}

fn attachment(of: &Value) -> String {
    let mut lines = Vec::new();
    let mut line = |text: &str| lines.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
    line(text_of(&of["pretext"]));
    let (author, title, link) = (text_of(&of["author_name"]), text_of(&of["title"]), text_of(&of["title_link"]));
    let forwarded = of["is_share"] == true || of["is_msg_unfurl"] == true;
    // Slack's preview of an address that stands in the text.
    if !forwarded && !text_of(&of["from_url"]).is_empty() {
        return String::new();
    }
    if !author.is_empty() {
        line(&if forwarded { format!("{author} wrote:") } else { author.to_owned() });
    }
    line(&if title.is_empty() || link.is_empty() { title.to_owned() } else { format!("<{link}|{title}>") });
    let text = text_of(&of["text"]);
    line(text);
    if text.is_empty() {
        line(&blocks(list(&of["blocks"]), 1));
        for message in list(&of["message_blocks"]) {
            line(&blocks(list(&message["message"]["blocks"]), 1));
        }
    }
    for field in list(&of["fields"]) {
        let (title, value) = (text_of(&field["title"]), text_of(&field["value"]));
        line(&if title.is_empty() || value.is_empty() { format!("{title}{value}") } else { format!("{title}: {value}") });
    }
    if lines.is_empty() {
        return text_of(&of["fallback"]).to_owned();
    }
    lines.join("\n")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn blocks(all: &[Value], depth: usize) -> String {
    if depth > DEPTH {
        return String::new();
    }
    let shown = all.iter().map(|block| match block["type"].as_str() {
        Some("rich_text") => list(&block["elements"]).iter().map(|part| rich(part, depth)).collect::<Vec<_>>().join("\n"),
        Some("context") => words(list(&block["elements"]), " "),
        Some("section") => {
            let fields = words(list(&block["fields"]), "\n");
            [object(&block["text"]), fields].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
        }
        Some("markdown") => escape(text_of(&block["text"])),
        Some("image" | "video") => object(&block["title"]),
        // A header, and whatever else has a text.
        _ => object(&block["text"]),
    });
    shown.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

fn words(all: &[Value], between: &str) -> String {
    all.iter().map(object).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(between)
}

/// A text object. What is plain is not escaped yet.
fn object(of: &Value) -> String {
    let text = text_of(&of["text"]);
    if of["type"] == "plain_text" { escape(text) } else { text.to_owned() }
}

/// A part of `rich_text`: a section, a list, a quote, code.
fn rich(part: &Value, depth: usize) -> String {
    if depth > DEPTH {
        return String::new();
    }
    let elements = list(&part["elements"]);
    let inline = || elements.iter().map(element).collect::<String>();
    match part["type"].as_str() {
        Some("rich_text_list") => {
            let ordered = part["style"] == "ordered";
            let item = |(at, item): (usize, &Value)| {
                let mark = if ordered { format!("{}.", at + 1) } else { "-".to_owned() };
                format!("{mark} {}", rich(item, depth + 1))
            };
            elements.iter().enumerate().map(item).collect::<Vec<_>>().join("\n")
        }
        Some("rich_text_quote") => inline().lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n"),
        Some("rich_text_preformatted") => format!("```\n{}\n```", inline()),
        _ => inline(),
    }
}

fn element(of: &Value) -> String {
    let id = |key: &str| text_of(&of[key]);
    match of["type"].as_str() {
        Some("user") => format!("<@{}>", id("user_id")),
        Some("channel") => format!("<#{}>", id("channel_id")),
        Some("usergroup") => format!("<!subteam^{}>", id("usergroup_id")),
        Some("broadcast") => format!("<!{}>", id("range")),
        Some("emoji") => format!(":{}:", id("name")),
        Some("link") => match id("text") {
            "" => format!("<{}>", id("url")),
            label => format!("<{}|{}>", id("url"), escape(label)),
        },
        _ => {
            // White space is what stands between the others.
            let text = escape(of["text"].as_str().unwrap_or_default());
            if of["style"]["code"] == true && !text.is_empty() { format!("`{text}`") } else { text }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(value: Value) -> Message {
        serde_json::from_value(value).expect("a message")
    }

    #[test]
    fn an_alert_in_attachments() {
        let alert = message(json!({ "text": "", "attachments": [{
            "color": "danger", "pretext": "Firing", "title": "High CPU", "title_link": "https://g.example.com/d/1", "text": "node-7 at 99 %",
            "fields": [{ "title": "Severity", "value": "critical", "short": true }, { "title": "", "value": "eu-1" }], "fallback": "High CPU",
        }, { "fallback": "only a fallback" }, { "color": "good" }, { "from_url": "https://x.org", "title": "X", "text": "a preview" }] }));
        assert_eq!(
            whole(&alert),
            "Firing\n<https://g.example.com/d/1|High CPU>\nnode-7 at 99 %\nSeverity: critical\neu-1\n\nonly a fallback"
        );
    }

    #[test]
    fn blocks_count_where_they_are_all_that_there_is() {
        let blocks = json!([
            { "type": "header", "text": { "type": "plain_text", "text": "Deploy <7> failed" } },
            { "type": "section", "text": { "type": "mrkdwn", "text": "*step 3* exit 1" }, "fields": [{ "type": "mrkdwn", "text": "*Where* eu" }] },
            { "type": "divider" },
            { "type": "context", "elements": [{ "type": "image", "image_url": "x" }, { "type": "mrkdwn", "text": "by ci" }] },
            { "type": "rich_text", "elements": [
                { "type": "rich_text_section", "elements": [
                    { "type": "text", "text": "ask " }, { "type": "user", "user_id": "U0123ABCD" }, { "type": "text", "text": " <b>" },
                    { "type": "link", "url": "https://x.org", "text": "log" }, { "type": "emoji", "name": "fire" },
                ] },
                { "type": "rich_text_list", "style": "bullet", "elements": [
                    { "type": "rich_text_section", "elements": [{ "type": "text", "text": "make", "style": { "code": true } }] },
                ] },
                { "type": "rich_text_preformatted", "elements": [{ "type": "text", "text": "exit 1" }] },
            ] },
        ]);
        for text in ["", "This content can't be displayed."] {
            assert_eq!(
                whole(&message(json!({ "text": text, "blocks": blocks }))),
                "Deploy &lt;7&gt; failed\n*step 3* exit 1\n*Where* eu\nby ci\nask <@U0123ABCD> &lt;b&gt;<https://x.org|log>:fire:\n- `make`\n```\nexit 1\n```"
            );
        }
        assert_eq!(whole(&message(json!({ "text": "hello", "blocks": blocks }))), "hello");
        assert_eq!(whole(&message(json!({ "text": "hello", "blocks": "x", "attachments": [7, { "text": 7 }] }))), "hello");
    }

    #[test]
    fn what_is_forwarded_is_a_quote_and_bounded() {
        let share = |text: &str| {
            message(json!({ "text": "<@UBOT12345> why?", "attachments": [{
                "is_share": true, "is_msg_unfurl": true, "author_name": "Cat", "text": text, "fallback": "[x] Cat: …",
            }] }))
        };
        assert_eq!(with_quote(&share("red\nsince 7")), "<@UBOT12345> why?\n\n> Cat wrote:\n> red\n> since 7");
        let long = with_quote(&share(&"0123456789\n".repeat(5_000)));
        assert!(long.ends_with("> 0123456789\n> …") && long.len() < 20_000, "{}", long.len());
        assert!(!format!("{:?}", share("hush")).contains("hush"));
    }
}
