//! What the JSON door writes, one object a line; the README documents it. Names and types here are a promise to scripts.

use base64::Engine as _;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Approval, Field, File, Form, Notice, StepState, Timestamp, ToolState, Usage};

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// First line; the store is true by then.
    Ready {
        version: &'static str,
    },
    Reply {
        id: Option<String>,
        conversation: String,
        notice: Notice,
        text: String,
        data: Map<String, Value>,
    },
    Progress {
        id: Option<String>,
        conversation: String,
        step: String,
        state: StepState,
        text: String,
    },
    Turn(Box<TurnEvent>),
    /// Added text: joined, the texts of a turn are its final text.
    Text {
        conversation: String,
        turn: String,
        text: String,
    },
    Tool {
        conversation: String,
        turn: String,
        tool: String,
        title: String,
        state: ToolState,
        took_ms: Option<u64>,
    },
    /// Something that the agent wants people to know besides its answer; without a turn: something that happened by itself.
    Note {
        conversation: String,
        turn: Option<String>,
        text: String,
    },
    Approval {
        approval: String,
        conversation: String,
        turn: String,
        tool: String,
        title: String,
        arguments: Value,
        expires: Timestamp,
    },
    /// An approval is no longer open.
    ApprovalEnded {
        approval: String,
        conversation: String,
        turn: String,
        state: crate::model::ApprovalState,
        by: Option<String>,
        reason: Option<String>,
    },
    Form {
        form: String,
        id: Option<String>,
        conversation: String,
        title: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        text: String,
        confirm: bool,
        fields: Vec<Field>,
    },
    File {
        id: Option<String>,
        conversation: String,
        name: String,
        bytes: String,
    },
    /// The last event of an input.
    End {
        id: Option<String>,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

#[derive(Debug, Clone, Serialize)]
pub struct TurnEvent {
    pub id: Option<String>,
    pub conversation: String,
    pub turn: String,
    pub session: String,
    /// `working`, `waiting`, then one of `done`, `stopped`, `interrupted`, `failed`.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With the last state: the whole answer.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Whole {
    pub text: String,
    pub tools: Vec<Value>,
    pub usage: Option<Usage>,
    pub seconds: Option<f64>,
}

impl Event {
    pub fn file(id: Option<String>, conversation: String, file: &File) -> Self {
        let bytes = base64::prelude::BASE64_STANDARD.encode(&file.bytes);
        Event::File { id, conversation, name: file.name.clone(), bytes }
    }

    pub fn form(id: Option<String>, conversation: String, form: &Form) -> Self {
        Event::Form {
            form: form.id.0.clone(),
            id,
            conversation,
            title: form.title.clone(),
            text: form.text.clone(),
            confirm: form.confirm,
            fields: form.fields.clone(),
        }
    }

    pub fn approval(conversation: String, a: &Approval) -> Self {
        Event::Approval {
            approval: a.id.to_string(),
            conversation,
            turn: a.turn.to_string(),
            tool: a.tool.clone(),
            title: a.title.clone(),
            arguments: a.arguments.clone(),
            expires: a.expires,
        }
    }

    pub fn approval_ended(conversation: String, a: &Approval) -> Self {
        Event::ApprovalEnded {
            approval: a.id.to_string(),
            conversation,
            turn: a.turn.to_string(),
            state: a.state.clone(),
            by: a.by.clone(),
            reason: a.reason.clone(),
        }
    }
}
