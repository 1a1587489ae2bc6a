//! Replies as Slack's messages.
