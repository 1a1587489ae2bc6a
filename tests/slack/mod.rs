//! Gaggle in Slack: the real program at a workspace that is as strict as the real one.

mod buttons;
mod commands;
mod faults;
mod home;
mod kill;
mod messages;
mod modals;
mod people;
mod rates;
mod restart;
mod room;
mod shared;
mod streaming;
pub mod team;
mod threads;
