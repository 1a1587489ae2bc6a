//! The grammar from outside: what people type and what they are told. One binary, as linking is what takes time.

mod byte_exact;
mod catalog;
mod completion;
mod help;
mod malformed;
mod round_trip;
mod typed;
