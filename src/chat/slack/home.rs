//! The App Home.
