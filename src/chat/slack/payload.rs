//! What Slack sends, as far as it matters here.
