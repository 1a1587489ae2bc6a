//! Stories on a real Kubernetes: the whole program, a real API server, pretend nodes and a real one.

mod by_token;
mod chaos;
mod clusters;
mod compose;
mod deploy;
mod elsewhere;
mod exported;
mod failures;
mod from_chat;
mod goose;
mod life;
mod many;
mod reconcile;
mod releases;
mod scan;
mod services;
