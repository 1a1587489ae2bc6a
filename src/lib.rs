//! Gaggle: AI coding agents for a team, from the chat it already uses.

pub mod access;
pub mod agent;
pub mod chat;
pub mod engine;
pub mod error;
pub mod handlers;
pub mod model;
pub mod runtime;
pub mod store;
pub mod work;
