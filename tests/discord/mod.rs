//! Discord, driven over the wire: the real program at a Discord that holds to the rules.

mod commands;
mod gaps;
mod goose;
mod people;
mod places;
mod replies;
pub mod room;
mod shared;
mod storm;
mod threads;
