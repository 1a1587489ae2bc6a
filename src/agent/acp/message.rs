//! JSON-RPC messages, leniently: what is not understood is named as such and harms nothing.

use serde_json::{Value, json};

#[derive(Debug, PartialEq)]
pub enum Incoming {
    Request { id: Value, method: String, params: Value },
    Notification { method: String, params: Value },
    Response { id: String, outcome: Result<Value, RpcError> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    pub code: i64,
    pub text: String,
}

pub const METHOD_NOT_FOUND: i64 = -32601;
pub const NOT_FOUND: i64 = -32002;

/// `None`: this is no JSON-RPC message.
pub fn parse(text: &str) -> Option<Incoming> {
    let Ok(Value::Object(mut object)) = serde_json::from_str::<Value>(text) else { return None };
    let id = object.remove("id").filter(|id| !id.is_null());
    if let Some(Value::String(method)) = object.remove("method") {
        let params = object.remove("params").unwrap_or_default();
        return Some(match id {
            Some(id) => Incoming::Request { id, method, params },
            None => Incoming::Notification { method, params },
        });
    }
    let id = match id? {
        // All ids of ours are strings.
        Value::String(id) => id,
        other => other.to_string(),
    };
    let outcome = match object.remove("error") {
        Some(error) if !error.is_null() => Err(rpc_error(&error)),
        _ => Ok(object.remove("result").unwrap_or_default()),
    };
    Some(Incoming::Response { id, outcome })
}

fn rpc_error(error: &Value) -> RpcError {
    let message = error["message"].as_str().unwrap_or("an error without a message");
    let detail = match &error["data"] {
        Value::String(text) => Some(text.as_str()),
        data => data["message"].as_str().or_else(|| data["details"].as_str()),
    };
    let text = match detail {
        Some(detail) => format!("{message}: {detail}"),
        None => message.to_owned(),
    };
    RpcError { code: error["code"].as_i64().unwrap_or_default(), text }
}

impl Incoming {
    /// The session that the message is about, where it says so itself.
    pub fn session(&self) -> Option<&str> {
        match self {
            Incoming::Request { params, .. } | Incoming::Notification { params, .. } => params["sessionId"].as_str(),
            Incoming::Response { .. } => None,
        }
    }
}

pub fn request(id: &str, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

pub fn response(id: Value, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

pub fn unsupported(id: Value, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": METHOD_NOT_FOUND, "message": format!("this client has no {method}") } })
}

pub fn initialize(id: &str) -> Value {
    let capabilities = json!({ "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false });
    let client = json!({ "name": "gaggle", "version": env!("CARGO_PKG_VERSION") });
    request(id, "initialize", json!({ "protocolVersion": 1, "clientCapabilities": capabilities, "clientInfo": client }))
}
