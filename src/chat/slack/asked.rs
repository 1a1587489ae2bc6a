//! What came from people and is not answered yet: by which ways an answer to it can go.

use std::time::Duration;

use tokio::time::Instant;

use super::payload::Quiet;
use crate::chat::lines::Lines;
use crate::model::Progress;

/// Slack takes a modal for so long; less what the way there takes.
const TRIGGER: Duration = Duration::from_millis(2_700);
const RESPONSES: u8 = 5;
const RESPONSE: Duration = Duration::from_secs(29 * 60);

/// From where something was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Command,
    /// A button; `quiet`: what it does is seen where it stands.
    Click {
        quiet: bool,
    },
    Message,
    /// A button of the App Home, or a modal.
    Home,
    /// The App Home is drawn: its view is the answer.
    Tab,
}

#[derive(Debug, Clone)]
pub struct Hook {
    pub url: Quiet,
    pub uses: u8,
    born: Instant,
}

#[derive(Debug)]
pub struct Ask {
    pub from: From,
    pub user: String,
    pub channel: String,
    pub thread: Option<String>,
    /// The thread is only begun by the answer: till then Slack shows nothing in it that is for one person.
    pub begins: bool,
    /// The command.
    typed: Quiet,
    trigger: Option<(String, Instant)>,
    pub hook: Option<Hook>,
    pub steps: Vec<Progress>,
    /// The last lines of what a step tells line by line.
    pub lines: Lines,
    /// Where the steps stand.
    pub progress: Option<Shown>,
    pub answered: bool,
    /// An earlier program began to do it.
    again: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A message in a channel, which can be edited for ever.
    Message { channel: String, ts: String },
    /// What the hook wrote.
    Hook,
}

impl Ask {
    pub fn new(from: From, user: &str, channel: &str, thread: Option<&str>) -> Self {
        Self {
            from,
            user: user.to_owned(),
            channel: channel.to_owned(),
            thread: thread.map(str::to_owned),
            typed: Quiet::default(),
            trigger: None,
            hook: None,
            begins: false,
            steps: Vec::new(),
            lines: Lines::default(),
            progress: None,
            answered: false,
            again: false,
        }
    }

    /// `received`: `None`, if an earlier program got it, which has begun to do it.
    #[must_use]
    pub fn with(mut self, trigger: &str, hook: Option<&Quiet>, received: Option<Instant>) -> Self {
        self.again = received.is_none();
        self.trigger = received.filter(|_| !trigger.is_empty()).map(|at| (trigger.to_owned(), at));
        self.hook = hook.map(|url| Hook { url: url.clone(), uses: 0, born: received.unwrap_or_else(Instant::now) });
        self
    }

    #[must_use]
    pub fn of(mut self, command: &str) -> Self {
        self.typed = Quiet(command.to_owned());
        self
    }

    /// Whether only the asker may see what comes of it.
    pub fn is_private(&self) -> bool {
        let visibility = match gaggle_commands::parse_text(&self.typed.0) {
            Ok(command) => Some(command.entry().visibility),
            // What it lacked was filled in since.
            Err(usage) => usage.path.as_deref().and_then(gaggle_commands::entry).map(|entry| entry.visibility),
        };
        visibility != Some(gaggle_commands::Visibility::Public)
    }

    /// Whether what becomes of it is told by the turn that it opens.
    pub fn opens_turn(&self) -> bool {
        const PATHS: [&str; 2] = ["ask", "session retry"];
        match gaggle_commands::parse_text(&self.typed.0) {
            Ok(command) => PATHS.contains(&command.path()),
            Err(usage) => usage.path.as_deref().is_some_and(|path| PATHS.contains(&path)),
        }
    }

    /// Whether it is done once more, because nobody knows how far an earlier program came.
    pub fn is_again(&self) -> bool {
        self.again
    }

    /// The trigger, once, if a modal can still be opened with it.
    pub fn trigger(&mut self) -> Option<String> {
        self.trigger.take().filter(|(_, at)| at.elapsed() < TRIGGER).map(|(id, _)| id)
    }

    /// The hook for one more message, if `left` uses are left after that.
    pub fn hook(&mut self, left: u8) -> Option<Quiet> {
        let hook = self.hook.as_mut()?;
        if hook.born.elapsed() > RESPONSE || hook.uses + 1 + left > RESPONSES {
            return None;
        }
        hook.uses += 1;
        Some(hook.url.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_lacked_does_not_make_it_public() {
        let private = |typed: &str| Ask::new(From::Command, "U1", "C1", None).of(typed).is_private();
        assert!(private("/project logs") && private("/project logs demo") && private("nonsense") && private("/gaggle status"));
        assert!(!private("/project create") && !private("/project activate demo"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_slack_gave_is_used_as_often_and_as_long_as_it_holds() {
        let hook = Quiet("https://hooks.slack.com/x".into());
        let mut ask = Ask::new(From::Command, "U1", "C1", None).with("t1", Some(&hook), Some(Instant::now()));
        assert_eq!(ask.trigger().as_deref(), Some("t1"));
        assert_eq!(ask.trigger(), None, "a trigger opens one modal");
        for _ in 0..4 {
            assert!(ask.hook(1).is_some());
        }
        assert!(ask.hook(1).is_none() && ask.hook(0).is_some() && ask.hook(0).is_none());
        let mut late = Ask::new(From::Command, "U1", "C1", None).with("t2", Some(&hook), Some(Instant::now()));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(late.trigger(), None);
        tokio::time::advance(RESPONSE).await;
        assert!(late.hook(0).is_none());
    }
}
