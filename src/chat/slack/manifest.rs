//! The app's manifest: what Slack has to know of it.
