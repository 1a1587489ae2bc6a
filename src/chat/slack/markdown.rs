//! Markdown as Slack shows it.
