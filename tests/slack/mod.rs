//! Gaggle in Slack: the real program at a workspace that is as strict as the real one.

mod buttons;
mod commands;
mod faults;
mod goose;
mod home;
mod messages;
mod modals;
mod names;
mod people;
mod rates;
mod restart;
mod room;
mod shared;
mod storm;
mod streaming;
pub mod team;
mod threads;
mod turns;
