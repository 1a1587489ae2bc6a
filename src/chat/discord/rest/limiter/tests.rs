//! The limiter by a clock that the tests turn.
