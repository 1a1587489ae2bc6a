//! Gaggle: AI coding agents for a team, from the chat it already uses.

pub mod agent;
pub mod chat;
pub mod error;
pub mod model;
pub mod runtime;
pub mod store;
