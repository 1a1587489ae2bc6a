//! The two ways on which Discord reaches us, and what of that goes where.
//!
//! Invariant: nothing here waits: what comes is handed on, and what is not known is counted and told.

use std::sync::Arc;

use futures_util::FutureExt as _;
use serde_json::Value;
use serenity::all::GatewayIntents;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::asked::First;
use super::gateway::{Dispatch, Gateway};
use super::rest::{Method, Rank};
use super::{Discord, ThreadMessages};

/// What begins so comes with the intents that are needed, and is of no use here.
const OTHERS: [&str; 8] =
    ["GUILD_", "THREAD_", "CHANNEL_", "INTEGRATION_", "STAGE_INSTANCE_", "VOICE_CHANNEL_", "APPLICATION_COMMAND_", "MESSAGE_"];

/// The least that is needed.
pub fn intents(threads: ThreadMessages) -> GatewayIntents {
    let least = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
    match threads {
        ThreadMessages::All => least | GatewayIntents::MESSAGE_CONTENT,
        ThreadMessages::Mentions => least,
    }
}

impl Discord {
    pub(super) async fn open_gateway(&self, stop: CancellationToken) -> anyhow::Result<Gateway> {
        let found = self.call(Method::GET, "/gateway/bot".into(), None, Rank::Reply).await;
        let found = found.map_err(|fault| anyhow::anyhow!("`discord.token`: Discord tells no gateway ({})", fault.outcome()))?;
        let url = found["url"].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap_or(1)).unwrap_or(1).max(1);
        let options = super::gateway::Options {
            token: self.options().token.clone(),
            intents: intents(self.options().thread_messages).bits(),
            url,
            shards: number(&found["shards"]),
            max_concurrency: number(&found["session_start_limit"]["max_concurrency"]),
            tls: self.rest().tls(),
        };
        let before = self.desk().note(super::catchup::SESSIONS).await.and_then(|kept| serde_json::from_str(&kept).ok());
        let discord = self.clone();
        Ok(super::gateway::start(options, Arc::new(move |dispatch| discord.dispatch(dispatch)), before, stop))
    }

    /// What the gateway says. Never waits.
    fn dispatch(&self, dispatch: Dispatch) {
        let raw = dispatch.data.get();
        match dispatch.kind.as_str() {
            "INTERACTION_CREATE" => self.interaction(raw, First::Callback, dispatch.received),
            "MESSAGE_CREATE" => self.message_came(raw),
            "MESSAGE_UPDATE" => self.message_changed(raw),
            "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => self.message_gone(raw),
            "GUILD_CREATE" => self.guild_came(raw),
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE" => self.channel_came(raw),
            "CHANNEL_DELETE" | "THREAD_DELETE" => self.channel_gone(raw),
            "THREAD_LIST_SYNC" => self.guild_came(raw),
            "READY" | "RESUMED" | "TYPING_START" | "USER_UPDATE" | "WEBHOOKS_UPDATE" => {}
            kind if OTHERS.iter().any(|begin| kind.starts_with(begin)) => {}
            kind => {
                metrics::counter!("gaggle_discord_unknown_total").increment(1);
                tracing::warn!(kind, "Discord sent an event that is not known here");
            }
        }
    }

    /// Requests of Discord's own.
    pub(super) fn door(&self) -> super::http::Take {
        let discord = self.clone();
        Arc::new(move |interaction: super::http::Interaction| {
            let (answer, answered) = oneshot::channel();
            discord.interaction(interaction.data.get(), First::Body(answer), interaction.received);
            async move { answered.await.ok() }.boxed()
        })
    }
}
