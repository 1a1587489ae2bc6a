//! Socket Mode: two connections at least, each acknowledged before any work.
