//! Who may write when: Slack's rates, shared fairly, last words first.
