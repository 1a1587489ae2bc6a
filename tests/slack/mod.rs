//! Gaggle in Slack: the real program at a workspace that is as strict as the real one.

mod commands;
mod shared;
mod threads;
