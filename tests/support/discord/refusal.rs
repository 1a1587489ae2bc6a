//! Why a call was refused: status, Discord's own code, its message, and what is wrong where in the body.
//!
//! Invariant: each code has the status and the words that Discord gives it.

use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Default)]
pub struct Refusal {
    pub status: u16,
    pub code: u64,
    pub message: String,
    /// Path in the body, a code, a message.
    pub errors: Vec<(String, &'static str, String)>,
    /// The test wanted it so: no fault of the bot.
    pub wanted: bool,
}

pub const UNKNOWN_CHANNEL: u64 = 10_003;
pub const UNKNOWN_GUILD: u64 = 10_004;
pub const UNKNOWN_MEMBER: u64 = 10_007;
pub const UNKNOWN_MESSAGE: u64 = 10_008;
pub const UNKNOWN_ROLE: u64 = 10_011;
pub const UNKNOWN_USER: u64 = 10_013;
pub const UNKNOWN_WEBHOOK: u64 = 10_015;
pub const UNKNOWN_INTERACTION: u64 = 10_062;
pub const UNKNOWN_COMMAND: u64 = 10_063;
pub const ALREADY_ACKNOWLEDGED: u64 = 40_060;
pub const TOO_LARGE: u64 = 40_005;
pub const OLD_EDITS: u64 = 30_046;
pub const MISSING_ACCESS: u64 = 50_001;
pub const CANNOT_IN_DM: u64 = 50_003;
pub const NOT_THE_AUTHOR: u64 = 50_005;
pub const EMPTY_MESSAGE: u64 = 50_006;
pub const CLOSED_DM: u64 = 50_007;
pub const NO_TEXT_CHANNEL: u64 = 50_008;
pub const MISSING_PERMISSIONS: u64 = 50_013;
pub const INVALID_WEBHOOK_TOKEN: u64 = 50_027;
pub const INVALID_FORM: u64 = 50_035;
pub const SYSTEM_MESSAGE: u64 = 50_021;
pub const ARCHIVED: u64 = 50_083;
pub const INVALID_JSON: u64 = 50_109;
pub const HAS_A_THREAD: u64 = 160_004;
pub const LOCKED: u64 = 160_005;

const KNOWN: &[(u64, u16, &str)] = &[
    (UNKNOWN_CHANNEL, 404, "Unknown Channel"),
    (UNKNOWN_GUILD, 404, "Unknown Guild"),
    (UNKNOWN_MEMBER, 404, "Unknown Member"),
    (UNKNOWN_MESSAGE, 404, "Unknown Message"),
    (UNKNOWN_ROLE, 404, "Unknown Role"),
    (UNKNOWN_USER, 404, "Unknown User"),
    (UNKNOWN_WEBHOOK, 404, "Unknown Webhook"),
    (UNKNOWN_INTERACTION, 404, "Unknown interaction"),
    (UNKNOWN_COMMAND, 404, "Unknown application command"),
    (ALREADY_ACKNOWLEDGED, 400, "Interaction has already been acknowledged."),
    (TOO_LARGE, 413, "Request entity too large"),
    (OLD_EDITS, 429, "Maximum number of edits to messages older than 1 hour reached. Try again later."),
    (MISSING_ACCESS, 403, "Missing Access"),
    (CANNOT_IN_DM, 403, "Cannot execute action on a DM channel"),
    (NOT_THE_AUTHOR, 403, "Cannot edit a message authored by another user"),
    (EMPTY_MESSAGE, 400, "Cannot send an empty message"),
    (CLOSED_DM, 403, "Cannot send messages to this user"),
    (NO_TEXT_CHANNEL, 400, "Cannot send messages in a non-text channel"),
    (MISSING_PERMISSIONS, 403, "Missing Permissions"),
    (INVALID_WEBHOOK_TOKEN, 401, "Invalid Webhook Token"),
    (SYSTEM_MESSAGE, 403, "Cannot execute action on a system message"),
    (ARCHIVED, 400, "Thread is archived"),
    (INVALID_JSON, 400, "The request body contains invalid JSON."),
    (HAS_A_THREAD, 400, "A thread has already been created for this message"),
    (LOCKED, 400, "Thread is locked"),
];

impl From<u64> for Refusal {
    fn from(code: u64) -> Self {
        let (_, status, message) = KNOWN.iter().find(|(known, ..)| *known == code).expect("a known code");
        Self { status: *status, code, message: (*message).into(), ..Self::default() }
    }
}

impl Refusal {
    pub fn http(status: u16, message: &str) -> Self {
        Self { status, message: format!("{status}: {message}"), ..Self::default() }
    }

    /// One thing is wrong in the body.
    pub fn form(path: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::forms(vec![(path.into(), code, message.into())])
    }

    pub fn forms(errors: Vec<(String, &'static str, String)>) -> Self {
        Self { status: 400, code: INVALID_FORM, message: "Invalid Form Body".into(), errors, wanted: false }
    }

    pub fn body(&self) -> Value {
        let mut body = json!({ "message": self.message, "code": self.code });
        if !self.errors.is_empty() {
            let mut tree = json!({});
            for (path, code, message) in &self.errors {
                place(&mut tree, path, json!({ "code": code, "message": message }));
            }
            body["errors"] = tree;
        }
        body
    }
}

/// `/embeds/0/title` is where `errors.embeds.0.title._errors` is.
fn place(tree: &mut Value, path: &str, error: Value) {
    let mut at = tree;
    for part in path.split('/').filter(|p| !p.is_empty()) {
        at = at.as_object_mut().expect("an object").entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    let list = at.as_object_mut().expect("an object").entry("_errors").or_insert_with(|| json!([]));
    list.as_array_mut().expect("a list").push(error);
}

/// What a call gives: a status and a body.
pub type Answer = Result<(u16, Value), Refusal>;

pub const NOTHING: Answer = Ok((204, Value::Null));

pub fn ok(value: Value) -> Answer {
    Ok((200, value))
}
