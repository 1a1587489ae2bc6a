//! Forms as modals.
