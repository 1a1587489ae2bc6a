//! What `gaggle serve` is told of this Discord, and when it is there.

use super::delivery::public_key;
use super::state::{APP, GUILD, State, TOKEN};
use super::{Discord, Way};
use crate::support::bot::{self, Platform};

pub type Bot = bot::Bot<Discord>;

impl Platform for Discord {
    const NAME: &'static str = "discord";
    const SECRETS: &'static [&'static str] = &[TOKEN, "hunter2 signs"];

    fn section(&self, keys: &str) -> String {
        let mode = match self.inner.way {
            Way::Gateway => "gateway",
            Way::Http => "http",
        };
        // Registered where it is seen at once, unless the test says otherwise.
        let guilds = if keys.contains("guilds") { String::new() } else { format!("guilds = [\"{GUILD}\"]\n") };
        let (key, url) = (public_key(), self.api_url());
        format!(
            "[discord]\nmode = \"{mode}\"\ntoken = \"{TOKEN}\"\napplication_id = \"{APP}\"\npublic_key = \"{key}\"\n\
             api_url = \"{url}\"\n{guilds}{keys}\n"
        )
    }

    fn finds(&self, url: &str) {
        if self.inner.way == Way::Http {
            self.reach(url);
        }
    }

    fn begins(&self) {
        self.change(|s| {
            s.readies = 0;
            s.resumes = 0;
            s.bot_ended = false;
        });
    }

    /// Its commands are there, and by gateway it has a session.
    fn has_greeted(&self) -> bool {
        let way = self.inner.way;
        self.look(|s| !s.commands.is_empty() && (way == Way::Http || s.readies + s.resumes > 0))
    }

    fn asks_for_readiness(&self) -> bool {
        true
    }

    fn forgive(&self) {
        self.allow("was answered with HTTP 503");
    }

    async fn ended(&self) {
        self.wait("the end of its connections", |s| s.links.is_empty().then_some(())).await;
        self.change(|s| s.bot_ended = true);
    }

    fn report(&self) -> String {
        self.look(State::report)
    }
}
