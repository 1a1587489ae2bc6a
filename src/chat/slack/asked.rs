//! What came from people and is not answered yet: by which ways an answer to it can go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::payload::Quiet;
use crate::model::{FormId, Progress};

/// Slack takes a modal for so long; less what the way there takes.
const TRIGGER: Duration = Duration::from_millis(2_700);
const RESPONSES: u8 = 5;
const RESPONSE: Duration = Duration::from_secs(29 * 60);
/// What nobody asks for any more is forgotten.
const MEMORY: Duration = Duration::from_secs(45 * 60);
const MOST: usize = 20_000;

/// From where something was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Command,
    /// A button; `quiet`: what it does is seen where it stands.
    Click {
        quiet: bool,
    },
    Message,
    /// The App Home, whose view is the answer.
    Home,
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
    /// The command.
    typed: Quiet,
    trigger: Option<(String, Instant)>,
    pub hook: Option<Hook>,
    pub steps: Vec<Progress>,
    /// Where the steps stand.
    pub progress: Option<Shown>,
    pub answered: bool,
    born: Instant,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A message, which can be edited for ever.
    Message(String),
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
            steps: Vec::new(),
            progress: None,
            answered: false,
            born: Instant::now(),
        }
    }

    #[must_use]
    pub fn with(mut self, trigger: &str, hook: Option<&Quiet>, received: Instant) -> Self {
        self.trigger = (!trigger.is_empty()).then(|| (trigger.to_owned(), received));
        self.hook = hook.map(|url| Hook { url: url.clone(), uses: 0, born: received });
        self
    }

    #[must_use]
    pub fn of(mut self, command: &str) -> Self {
        self.typed = Quiet(command.to_owned());
        self
    }

    /// Whether only the asker may see what comes of it.
    pub fn is_private(&self) -> bool {
        let command = gaggle_commands::parse_text(&self.typed.0);
        command.is_ok_and(|command| command.entry().visibility == gaggle_commands::Visibility::Private)
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

/// By the id of the input. Whoever answers one holds it.
#[derive(Default)]
pub struct Asked {
    asks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Ask>>>>,
    forms: Mutex<HashMap<FormId, (crate::model::Form, Instant)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asked {
    pub fn put(&self, input: &str, ask: Ask) {
        let mut asks = locked(&self.asks);
        if asks.len() >= MOST {
            asks.retain(|_, ask| ask.try_lock().is_ok_and(|ask| ask.born.elapsed() < MEMORY));
        }
        asks.insert(input.to_owned(), Arc::new(tokio::sync::Mutex::new(ask)));
    }

    pub fn get(&self, input: &str) -> Option<Arc<tokio::sync::Mutex<Ask>>> {
        locked(&self.asks).get(input).cloned()
    }

    pub fn forget(&self, input: &str) {
        locked(&self.asks).remove(input);
    }

    /// Keeps a form that could not be opened at once, or may be opened again.
    pub fn put_form(&self, form: crate::model::Form) {
        let mut forms = locked(&self.forms);
        forms.retain(|_, (_, since)| since.elapsed() < MEMORY);
        forms.insert(form.id.clone(), (form, Instant::now()));
    }

    pub fn form(&self, id: &FormId) -> Option<crate::model::Form> {
        locked(&self.forms).get(id).map(|(form, _)| form.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_slack_gave_is_used_as_often_and_as_long_as_it_holds() {
        let hook = Quiet("https://hooks.slack.com/x".into());
        let mut ask = Ask::new(From::Command, "U1", "C1", None).with("t1", Some(&hook), Instant::now());
        assert_eq!(ask.trigger().as_deref(), Some("t1"));
        assert_eq!(ask.trigger(), None, "a trigger opens one modal");
        for _ in 0..4 {
            assert!(ask.hook(1).is_some());
        }
        assert!(ask.hook(1).is_none() && ask.hook(0).is_some() && ask.hook(0).is_none());
        let mut late = Ask::new(From::Command, "U1", "C1", None).with("t2", Some(&hook), Instant::now());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(late.trigger(), None);
        tokio::time::advance(RESPONSE).await;
        assert!(late.hook(0).is_none());
    }
}
