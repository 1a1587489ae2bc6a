//! `/session …`. Without SESSION, a command means the current thread's.

use crate::values::{project_ref, session_ref, title, turn_ref};

#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand, serde::Serialize, serde::Deserialize)]
pub enum SessionCommand {
    /// List a project's sessions
    List {
        /// The project, as demo or owner/demo
        #[arg(value_name = "NAME", value_parser = project_ref)]
        name: String,
    },
    /// Show a session's history
    Show {
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
    },
    /// Stop the answer that is being written
    Stop {
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
        /// Only this turn, as t34; without it, the one that is under way
        #[arg(long, value_name = "TURN", value_parser = turn_ref)]
        turn: Option<u64>,
    },
    /// Ask again what was interrupted or failed
    Retry {
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
        /// Only this turn, as t34; without it, the one that is the last
        #[arg(long, value_name = "TURN", value_parser = turn_ref)]
        turn: Option<u64>,
    },
    /// Delete a session and its history
    Delete {
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Export a session as Markdown
    Export {
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
    },
    /// Give a session another title
    Rename {
        /// The title; quotes are not needed
        #[arg(value_name = "TITLE", value_parser = title)]
        title: String,
        /// The session, as s12; without it, this thread's
        #[arg(value_name = "SESSION", value_parser = session_ref)]
        session: Option<u64>,
    },
}
