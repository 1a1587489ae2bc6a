//! Where something was said in Discord, as a conversation of Gaggle's: `discord:GUILD/CHANNEL`, `discord:GUILD/CHANNEL#THREAD`, and
//! `discord:@me/CHANNEL#CHANNEL` for direct messages, which have no threads and so are one themselves.

use super::SURFACE;
use crate::model::ConversationId;

/// In place of a guild.
pub const DIRECT: &str = "@me";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub guild: String,
    pub channel: String,
    pub thread: Option<String>,
}

impl Place {
    pub fn new(guild: &str, channel: &str, thread: Option<&str>) -> Self {
        Self { guild: guild.to_owned(), channel: channel.to_owned(), thread: thread.map(str::to_owned) }
    }

    pub fn direct(channel: &str) -> Self {
        Self::new(DIRECT, channel, Some(channel))
    }

    pub fn id(&self) -> ConversationId {
        let thread = self.thread.as_ref().map(|thread| format!("#{thread}")).unwrap_or_default();
        ConversationId(format!("{SURFACE}:{}/{}{thread}", self.guild, self.channel))
    }

    pub fn parse(id: &ConversationId) -> Option<Self> {
        let rest = id.0.strip_prefix(SURFACE)?.strip_prefix(':')?;
        let (guild, rest) = rest.split_once('/')?;
        let (channel, thread) = rest.split_once('#').map_or((rest, None), |(channel, thread)| (channel, Some(thread)));
        Some(Self::new(guild, channel, thread))
    }

    /// Where messages are written: to Discord a thread is a channel.
    pub fn written(&self) -> &str {
        self.thread.as_deref().unwrap_or(&self.channel)
    }

    pub fn is_direct(&self) -> bool {
        self.guild == DIRECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_all_of_it() {
        for place in [Place::new("1", "2", None), Place::new("1", "2", Some("3")), Place::direct("4")] {
            assert_eq!(Place::parse(&place.id()), Some(place));
        }
        assert_eq!(Place::parse(&ConversationId("slack:T/C#1.2".into())), None);
        assert_eq!(Place::direct("4").id().channel().0, "discord:@me/4");
    }
}
