//! What people get to see, before any surface renders it.

use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    Ok,
    Refused,
    Failed,
}

/// The answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub notice: Notice,
    /// Markdown.
    pub text: String,
    /// The facts behind the text; the same keys everywhere.
    pub data: Map<String, Value>,
    pub files: Vec<File>,
    /// The text repeats what others wrote, an agent or a program: nothing in it is changed on its way.
    pub quotes: bool,
    /// Only for who asked, where a surface can tell people apart.
    pub private: bool,
    /// The same facts for surfaces that have cards: then in place of the text.
    pub cards: Vec<Card>,
    /// What may be done next, where a surface has buttons.
    pub actions: Vec<Action>,
}

/// One thing among others, with what can be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Card {
    /// Plain text.
    pub title: String,
    /// Markdown.
    pub text: String,
    pub actions: Vec<Action>,
}

/// A button: the same as typing its command, by whoever presses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub label: String,
    pub command: String,
    pub style: Style,
    /// Asked before it is done.
    pub question: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    #[default]
    Plain,
    Primary,
    Danger,
}

impl Action {
    pub fn new(label: &str, command: impl Into<String>) -> Self {
        Self { label: label.to_owned(), command: command.into(), style: Style::Plain, question: None }
    }

    #[must_use]
    pub fn primary(mut self) -> Self {
        self.style = Style::Primary;
        self
    }

    /// Destroys something, so it asks first.
    #[must_use]
    pub fn danger(mut self, question: impl Into<String>) -> Self {
        self.style = Style::Danger;
        self.question = Some(question.into());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn ok(text: impl Into<String>) -> Self {
        Self {
            notice: Notice::Ok,
            text: text.into(),
            data: Map::new(),
            files: Vec::new(),
            quotes: false,
            private: false,
            cards: Vec::new(),
            actions: Vec::new(),
        }
    }

    pub fn refused(text: impl Into<String>) -> Self {
        Self { notice: Notice::Refused, ..Self::ok(text) }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self { notice: Notice::Failed, ..Self::ok(text) }
    }

    /// Adds one fact. A value that cannot be JSON is a bug, not a user's fault, and becomes null.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl serde::Serialize) -> Self {
        self.data.insert(key.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    #[must_use]
    pub fn quoting(mut self) -> Self {
        self.quotes = true;
        self
    }

    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    #[must_use]
    pub fn card(mut self, card: Card) -> Self {
        self.cards.push(card);
        self
    }

    #[must_use]
    pub fn file(mut self, name: impl Into<String>, bytes: Vec<u8>) -> Self {
        self.files.push(File { name: name.into(), bytes });
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    Running,
    Done,
    Failed,
}

/// One step of long work; later ones with the same `step` replace earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub step: String,
    pub state: StepState,
    pub text: String,
}
