//! What `gaggle serve` is told of this workspace, and when it is there.

use super::state::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, State};
use super::{Slack, Way};
use crate::support::bot::{self, Platform};

pub type Bot = bot::Bot<Slack>;

impl Platform for Slack {
    const NAME: &'static str = "slack";
    const SECRETS: &'static [&'static str] = &[BOT_TOKEN, APP_TOKEN, SIGNING_SECRET];

    fn section(&self, keys: &str) -> String {
        let (mode, way) = match self.inner.way {
            Way::Socket => ("socket", format!("app_token = \"{APP_TOKEN}\"")),
            Way::Http => ("http", format!("signing_secret = \"{SIGNING_SECRET}\"")),
        };
        let url = self.api_url();
        format!("[slack]\nmode = \"{mode}\"\nbot_token = \"{BOT_TOKEN}\"\n{way}\napi_url = \"{url}\"\n{keys}\n")
    }

    fn finds(&self, url: &str) {
        if self.inner.way == Way::Http {
            self.reach(url);
        }
    }

    fn begins(&self) {
        self.change(|s| {
            s.hellos = 0;
            s.bot_ended = false;
        });
    }

    /// Two sockets were greeted.
    fn has_greeted(&self) -> bool {
        self.inner.way == Way::Http || self.look(|s| s.hellos >= 2)
    }

    fn asks_for_readiness(&self) -> bool {
        self.inner.way == Way::Http
    }

    fn forgive(&self) {
        self.allow("was answered with HTTP 503");
    }

    async fn ended(&self) {
        self.wait("the end of its sockets", |s| s.sockets.is_empty().then_some(())).await;
        self.change(|s| s.bot_ended = true);
    }

    fn report(&self) -> String {
        self.look(State::report)
    }
}
