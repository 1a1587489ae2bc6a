//! How Gaggle reaches the clusters that people add: what they give becomes [`Credentials`] or is refused with the place, credentials
//! become a [`Connection`], a connection is verified ([`verify`]) and looked after ([`Health`]).
//!
//! Invariants: nothing that was given reads a file or runs a program here; no connection is opened to an address that leads to Gaggle
//! itself or its cloud ([`Allow`]); no error, log line or `Debug` holds a credential. Keeps nothing: the store is somebody else's.

mod address;
mod certificate;
mod connection;
mod credentials;
mod failure;
mod fetch;
mod fields;
#[cfg(test)]
mod fixtures;
mod guard;
mod health;
pub mod kubeconfig;
mod refused;
mod token;
mod verify;

pub use address::{Allow, Cidr};
pub use connection::{Connection, connect};
pub use credentials::Credentials;
pub use failure::Failure;
pub use fetch::fetch;
pub use fields::{Fields, from_fields};
pub use guard::Forbidden;
pub use health::{Health, Reach, State};
pub use refused::{Place, Refused};
pub use verify::{namespaces, verify};
