//! Small rules about text that several parts share.

/// A part of a message to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(String),
    Image {
        mime: String,
        /// Base64.
        data: String,
    },
}

/// Something that came with a message. Its bytes are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attachment {
    pub name: String,
    pub mime: String,
}

impl Attachment {
    pub fn is_image(&self) -> bool {
        self.mime.starts_with("image/")
    }
}

/// The first `max` characters on one line, with an ellipsis where something is left out: for titles and labels only, never for
/// what people asked to see.
pub fn clip(text: &str, max: usize) -> String {
    let line = words(text);
    if line.chars().count() <= max {
        return line;
    }
    let mut short: String = line.chars().take(max.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// The text on one line, with single spaces.
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
