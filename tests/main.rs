//! The only test binary: linking one is enough.
#![allow(clippy::print_stderr)]

mod demo_agent;
mod goose_real;
mod support;
mod terminal;
