//! Gaggle: AI coding agents for a team, from the chat it already uses.

pub mod access;
pub mod agent;
pub mod app;
pub mod chat;
pub mod cli;
pub mod clusters;
pub mod compose;
pub mod config;
pub mod control;
pub mod engine;
pub mod error;
pub mod handlers;
pub mod model;
pub mod releases;
pub mod runtime;
pub mod scan;
pub mod server;
pub mod store;
pub mod tls;
pub mod work;
pub mod yaml;
