//! Stand-ins at the wire, stateful and strict: what our own code meets in the tests instead of the world. And the tester, that
//! drives the whole program.

pub mod acp;
pub mod bot;
pub mod cluster;
pub mod discord;
pub mod ended;
pub mod goose;
pub mod goose_api;
pub mod https;
pub mod io;
pub mod llm;
pub mod play;
pub mod proxy;
pub mod pty;
pub mod render;
pub mod slack;
pub mod storm;
pub mod story;
pub mod tester;
