//! What people write in Slack, as they meant it.
