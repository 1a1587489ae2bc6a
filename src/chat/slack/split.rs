//! Long texts in pieces that each stand for themselves.
