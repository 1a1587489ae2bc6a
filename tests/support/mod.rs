//! Stand-ins at the wire, stateful and strict: what our own code meets in the tests instead of the world.

pub mod acp;
pub mod goose;
pub mod llm;
pub mod pty;
pub mod story;
