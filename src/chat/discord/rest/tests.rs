//! What comes of a request.
