//! Who speaks to the program, what they wait for, and what they say of what they were told.

use serde_json::{Value, json};

use super::{Input, Said, State, Tester};

/// Somebody, somewhere.
#[derive(Clone)]
pub struct Speaker<'a> {
    pub(super) tester: &'a Tester,
    pub(super) user: Option<String>,
    pub(super) conversation: String,
}

impl<'a> Speaker<'a> {
    pub fn in_conversation(mut self, name: &str) -> Self {
        self.conversation = name.into();
        self
    }

    pub async fn begin(&self, text: &str) -> Begun<'a> {
        self.object(text, json!({ "text": text })).await
    }

    pub async fn say(&self, text: &str) -> Said {
        self.begin(text).await.end().await
    }

    /// Fills a form in.
    pub async fn fill(&self, form: &str, values: Value) -> Begun<'a> {
        let names: Vec<String> = values.as_object().map(|v| v.keys().cloned().collect()).unwrap_or_default();
        self.object(&format!("({form}: {})", names.join(", ")), json!({ "form": form, "values": values })).await
    }

    pub async fn cancel(&self, form: &str) -> Begun<'a> {
        self.object(&format!("({form} cancelled)"), json!({ "form": form, "cancel": true })).await
    }

    async fn object(&self, shown: &str, mut object: Value) -> Begun<'a> {
        object["conversation"] = json!(self.conversation);
        if let Some(user) = &self.user {
            object["user"] = json!(user);
        }
        let input = Input { user: self.user.clone(), conversation: self.conversation.clone(), ..Input::new(shown) };
        self.tester
            .write(input, true, |id| {
                object["id"] = json!(id);
                object.to_string().into_bytes()
            })
            .await
    }
}

/// An input that may not have ended yet.
#[derive(Clone, Copy)]
pub struct Begun<'a> {
    pub(super) tester: &'a Tester,
    pub at: usize,
}

impl Begun<'_> {
    pub async fn end(self) -> Said {
        self.tester
            .until(&format!("the end of {}", self.tester.look(|s| s.inputs[self.at].shown.clone())), |s| s.said(self.at))
            .await
    }

    /// The first event of this input that `fits`.
    pub async fn event(self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = |s: &State| s.events.iter().find(|e| e.input == Some(self.at) && fits(&e.event)).map(|e| e.event.clone());
        self.tester.until(what, found).await
    }

    /// The id of its turn.
    pub async fn turn(self) -> String {
        let event = self.event("a turn", |e| e["type"] == "turn").await;
        event["turn"].as_str().expect("an id").to_owned()
    }

    /// The approval that its turn waits for.
    pub async fn approval(self) -> String {
        let event = self.event("an approval", |e| e["type"] == "approval").await;
        event["approval"].as_str().expect("an id").to_owned()
    }

    pub async fn form(self) -> String {
        let event = self.event("a form", |e| e["type"] == "form").await;
        event["form"].as_str().expect("an id").to_owned()
    }

    pub async fn text(self) -> Value {
        self.event("text", |e| e["type"] == "text").await
    }

    pub async fn state(self, state: &str) -> Value {
        self.event(&format!("the state {state}"), |e| e["type"] == "turn" && e["state"] == state).await
    }
}

impl Said {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ok, "`{}` did not succeed: {:#?}", self.shown, self.events);
        self
    }

    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(
            !self.ok && self.events.iter().any(|e| e["notice"] == "refused"),
            "`{}` was not refused: {:#?}",
            self.shown,
            self.events
        );
        self
    }

    #[track_caller]
    pub fn invalid(self) -> Self {
        assert!(!self.ok && self.error().is_some(), "`{}` was understood: {:#?}", self.shown, self.events);
        self
    }

    pub fn error(&self) -> Option<&str> {
        self.events.last()?["error"].as_str()
    }

    /// The last reply's text, or the answer.
    pub fn text(&self) -> &str {
        let of = |kind: &str| self.events.iter().rev().find(|e| e["type"] == kind).and_then(|e| e["text"].as_str());
        of("reply").or_else(|| of("turn")).or_else(|| self.error()).unwrap_or_default()
    }

    #[track_caller]
    pub fn has(self, part: &str) -> Self {
        assert!(self.text().contains(part), "`{}` does not say {part:?}: {}", self.shown, self.text());
        self
    }

    #[track_caller]
    pub fn has_not(self, part: &str) -> Self {
        assert!(!self.text().contains(part), "`{}` says {part:?}: {}", self.shown, self.text());
        self
    }

    pub fn data(&self, key: &str) -> Value {
        self.events.iter().rev().find(|e| e["type"] == "reply").map_or(Value::Null, |e| e["data"][key].clone())
    }

    /// The last state of its turn.
    #[track_caller]
    pub fn turn(&self) -> &Value {
        let last = self.events.iter().rev().find(|e| e["type"] == "turn");
        last.unwrap_or_else(|| panic!("`{}` opened no turn: {:#?}", self.shown, self.events))
    }

    #[track_caller]
    pub fn ended_as(self, state: &str) -> Self {
        assert_eq!(self.turn()["state"], state, "`{}`: {}", self.shown, self.turn());
        self
    }
}
