//! The only test binary: linking one is enough.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

mod demo_agent;
mod goose_real;
mod stories;
mod support;
