//! What Discord's close codes mean for the session and for the whole.
//!
//! Invariant: a code that is not known is no reason to give anything up.

/// Why it is not tried any more. Each is something that only the bot's owner or its configuration can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GivenUp {
    #[error(
        "Discord does not take the bot token: it was reset or mistyped. Copy a new one from the Developer Portal (your application → Bot → Reset Token)"
    )]
    BadToken,
    #[error(
        "Discord does not let this bot have the privileged intent \"Message Content\". Switch it on in the Developer Portal (your application → Bot → Privileged Gateway Intents → Message Content Intent), or connect without it"
    )]
    DisallowedIntents,
    #[error("Discord does not know the intents that were asked for; this version of Gaggle does not fit it any more")]
    InvalidIntents,
    #[error("the bot is in so many servers that Discord asks for more shards than it was started with")]
    ShardingRequired,
    #[error("Discord refused the number of a shard")]
    InvalidShard,
    #[error("Discord no longer speaks version 10 of its gateway; this version of Gaggle does not fit it any more")]
    Version,
}

/// What remains after a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Resume,
    /// The session is gone; another can be begun.
    Anew,
    Never(GivenUp),
}

impl After {
    pub fn code(code: u16) -> Self {
        match code {
            4004 => Self::Never(GivenUp::BadToken),
            4007 | 4009 => Self::Anew,
            4010 => Self::Never(GivenUp::InvalidShard),
            4011 => Self::Never(GivenUp::ShardingRequired),
            4012 => Self::Never(GivenUp::Version),
            4013 => Self::Never(GivenUp::InvalidIntents),
            4014 => Self::Never(GivenUp::DisallowedIntents),
            // 4003 may say that the session was invalidated; if so, its resumption is refused.
            _ => Self::Resume,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning() {
        for code in [1000, 1001, 1006, 4000, 4001, 4002, 4003, 4005, 4008, 4999] {
            assert_eq!(After::code(code), After::Resume, "{code}");
        }
        for code in [4007, 4009] {
            assert_eq!(After::code(code), After::Anew, "{code}");
        }
        for code in [4004, 4010, 4011, 4012, 4013, 4014] {
            assert!(matches!(After::code(code), After::Never(_)), "{code}");
        }
        assert!(GivenUp::DisallowedIntents.to_string().contains("Message Content"));
    }
}
