//! A call of the Web API: its arguments, its refusal, and which method wants which token, scope and form.
//!
//! Invariant: a method that is not in [`METHODS`] does not exist.

use serde_json::{Map, Value, json};

use super::state::{Kind, State};

/// Arguments are only taken from the query or a form.
pub const READS: u8 = 1;

pub const METHODS: &[(&str, u8, &str)] = &[
    ("auth.test", 0, ""),
    ("apps.connections.open", 0, ""),
    ("team.info", READS, "team:read"),
    ("bots.info", READS, "users:read"),
    ("users.info", READS, "users:read"),
    ("users.list", READS, "users:read"),
    ("users.conversations", READS, "channels:read"),
    ("conversations.info", READS, "*:read"),
    ("conversations.history", READS, "*:history"),
    ("conversations.replies", READS, "*:history"),
    ("conversations.members", READS, "*:read"),
    ("conversations.open", 0, "im:write"),
    ("conversations.join", 0, "channels:join"),
    ("chat.postMessage", 0, "chat:write"),
    ("chat.postEphemeral", 0, "chat:write"),
    ("chat.update", 0, "chat:write"),
    ("chat.delete", 0, "chat:write"),
    ("chat.getPermalink", READS, ""),
    ("chat.startStream", 0, "chat:write"),
    ("chat.appendStream", 0, "chat:write"),
    ("chat.stopStream", 0, "chat:write"),
    ("assistant.threads.setStatus", 0, "chat:write"),
    ("assistant.threads.setTitle", 0, "assistant:write"),
    ("assistant.threads.setSuggestedPrompts", 0, "assistant:write"),
    ("views.open", 0, ""),
    ("views.update", 0, ""),
    ("views.push", 0, ""),
    ("views.publish", 0, ""),
    ("files.getUploadURLExternal", READS, "files:write"),
    ("files.completeUploadExternal", 0, "files:write"),
    ("files.info", READS, "files:read"),
    ("reactions.add", 0, "reactions:write"),
    ("usergroups.list", READS, "usergroups:read"),
    ("usergroups.users.list", READS, "usergroups:read"),
];

/// Why a call was refused.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    pub error: String,
    pub messages: Vec<String>,
    pub needed: Option<String>,
    /// The test wanted it so: no fault of the app.
    pub wanted: bool,
}

impl From<&str> for Refusal {
    fn from(error: &str) -> Self {
        Self { error: error.into(), ..Self::default() }
    }
}

impl Refusal {
    pub fn because(error: &str, messages: Vec<String>) -> Self {
        Self { error: error.into(), messages, ..Self::default() }
    }

    pub fn wanted(error: &str) -> Self {
        Self { error: error.into(), wanted: true, ..Self::default() }
    }
}

pub type Answer = Result<Value, Refusal>;

/// Arguments, wherever they came from.
#[derive(Debug, Clone, Default)]
pub struct Args(pub Map<String, Value>);

/// Arguments that hold JSON, as text when they come in a form.
const JSON: &[&str] = &["blocks", "attachments", "view", "files", "metadata", "prompts", "chunks", "loading_messages"];

impl Args {
    /// From a query or a form.
    pub fn form(&mut self, text: &str) -> Result<(), Refusal> {
        for (key, value) in decode(text) {
            let value = if JSON.contains(&key.as_str()) {
                serde_json::from_str(&value)
                    .map_err(|_| Refusal::because("invalid_arguments", vec![format!("{key} is no JSON")]))?
            } else {
                Value::String(value)
            };
            self.0.insert(key, value);
        }
        Ok(())
    }

    pub fn get(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).as_str().filter(|text| !text.is_empty())
    }

    pub fn need(&self, key: &str) -> Result<String, Refusal> {
        let missing = || Refusal::because("invalid_arguments", vec![format!("[ERROR] missing required field: {key}")]);
        self.text(key).map(str::to_owned).ok_or_else(missing)
    }

    pub fn flag(&self, key: &str) -> bool {
        match self.get(key) {
            Value::Bool(flag) => *flag,
            Value::String(text) => text == "true" || text == "1",
            _ => false,
        }
    }

    pub fn number(&self, key: &str, default: usize) -> Result<usize, Refusal> {
        let number = match self.get(key) {
            Value::Null => return Ok(default),
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|n| usize::try_from(n).ok()),
        };
        number.ok_or_else(|| Refusal::because("invalid_arguments", vec![format!("[ERROR] {key} must be an integer")]))
    }
}

pub fn decode(text: &str) -> Vec<(String, String)> {
    let mut url = reqwest::Url::parse("http://form/").expect("an address");
    url.set_query(Some(text));
    url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

pub fn encode(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://form/").expect("an address");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

pub fn kind_scope(kind: Kind) -> &'static str {
    match kind {
        Kind::Public => "channels",
        Kind::Private => "groups",
        Kind::Im => "im",
    }
}

impl State {
    pub fn need_scope(&self, scope: &str) -> Result<(), Refusal> {
        if scope.is_empty() || self.scopes.contains(scope) {
            return Ok(());
        }
        Err(Refusal { needed: Some(scope.to_owned()), ..Refusal::from("missing_scope") })
    }
}

/// The body of a refused call.
pub fn refused(state: &State, refusal: &Refusal) -> Value {
    let mut body = json!({ "ok": false, "error": refusal.error });
    if !refusal.messages.is_empty() {
        body["response_metadata"] = json!({ "messages": refusal.messages });
    }
    if let Some(needed) = &refusal.needed {
        body["needed"] = json!(needed);
        body["provided"] = json!(state.scopes.iter().cloned().collect::<Vec<_>>().join(","));
    }
    body
}
