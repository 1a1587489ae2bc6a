//! Gaggle in Slack: the real program at a workspace that is as strict as the real one.

mod commands;
mod faults;
mod rates;
mod restart;
mod room;
mod shared;
mod streaming;
mod threads;
