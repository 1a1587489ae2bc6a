//! Runs each project's agent as a Deployment of a cluster, in a namespace of its owner.

pub mod names;
pub mod objects;
pub mod options;
pub mod tables;
