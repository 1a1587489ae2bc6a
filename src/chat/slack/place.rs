//! Slack's places as conversations: `slack:TEAM/CHANNEL` and, for a thread, `#` and the time stamp of its root.

use super::SURFACE;
use crate::model::ConversationId;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub team: String,
    pub channel: String,
    pub thread: Option<String>,
}

impl Place {
    pub fn new(team: &str, channel: &str, thread: Option<&str>) -> Self {
        Self { team: team.to_owned(), channel: channel.to_owned(), thread: thread.map(str::to_owned) }
    }

    pub fn id(&self) -> ConversationId {
        let thread = self.thread.as_ref().map(|ts| format!("#{ts}")).unwrap_or_default();
        ConversationId(format!("{SURFACE}:{}/{}{thread}", self.team, self.channel))
    }

    pub fn parse(id: &ConversationId) -> Option<Self> {
        let rest = id.0.strip_prefix(SURFACE)?.strip_prefix(':')?;
        let (place, thread) = rest.split_once('#').map_or((rest, None), |(place, thread)| (place, Some(thread)));
        let (team, channel) = place.split_once('/')?;
        Some(Self::new(team, channel, thread))
    }

    /// Whether it is somebody's talk with the bot alone.
    pub fn is_direct(&self) -> bool {
        self.channel.starts_with('D')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back() {
        for place in [Place::new("T1", "C1", None), Place::new("T1", "D2", Some("1700000000.000100"))] {
            assert_eq!(Place::parse(&place.id()), Some(place.clone()));
            assert_eq!(place.id().channel(), Place { thread: None, ..place.clone() }.id());
            assert_eq!(place.id().thread(), place.thread.as_deref());
        }
        assert_eq!(Place::parse(&ConversationId("console:general".into())), None);
    }
}
