//! What Discord says, as far as it is of use here.
//!
//! Invariant: a field that is missing, null or of another shape counts as absent, so that what Discord adds breaks nothing; only what
//! nothing works without makes a payload unreadable.

mod interaction;
mod message;

pub use interaction::{Data, Interaction, Kind, Selected};
pub use message::{Attachment, Channel, ChannelKind, Guild, Message, MessageGone};
