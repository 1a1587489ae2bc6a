//! The only test binary: linking one is enough.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod agents;
mod agents_wire;
mod architecture;
mod cluster;
mod compose;
mod demo_agent;
mod discord;
mod discord_standin;
mod goose_api;
mod goose_real;
mod runtime;
mod slack;
mod slack_standin;
mod stories;
mod support;
mod terminal;
