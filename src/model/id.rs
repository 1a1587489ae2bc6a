//! Identifiers. Ours are short enough to be typed; none of them is a secret, so none of them grants anything.

use std::fmt;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

numbered!(
    /// A session, as `s12`: ours, since agents use their ids again.
    SessionId, "s"
);
numbered!(
    /// A turn, as `t345`: one message and its one answer.
    TurnId, "t"
);
numbered!(
    /// An approval, as `a7`.
    ApprovalId, "a"
);

macro_rules! named {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.to_owned())
            }
        }
    };
}

named!(
    /// A project, for ever: 10 of `a–z 0–9`, a letter first, so that it fits into any name of Kubernetes or a folder.
    ProjectId
);
named!(
    /// A cluster that somebody added, for ever: as a project's, so that it can be renamed.
    ClusterId
);
named!(
    /// A release, for ever: as a project's, so that its objects are known by it.
    ReleaseId
);
named!(
    /// A place where people talk: `surface:…`, and for a thread `#` and what tells it from the others there.
    ConversationId
);
impl ConversationId {
    /// Where a thread hangs: the part before `#`; a channel is its own.
    pub fn channel(&self) -> ConversationId {
        ConversationId(self.0.split('#').next().unwrap_or_default().to_owned())
    }

    /// What stands after `#`, in a thread.
    pub fn thread(&self) -> Option<&str> {
        self.0.split_once('#').map(|(_, thread)| thread)
    }
}

named!(
    /// A form or confirmation that waits for its answer.
    FormId
);
