//! Keeps one project's agent running: notices its end at once, starts it again with a growing pause, gives up after too many
//! failures in a row.
//!
//! Invariant: whoever saw `over` sees no process of the project any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::start::{Shown, Started, Starter, with_words};
use crate::agent::Endpoint;
use crate::runtime::RuntimeEvent;

/// After so many failures in a row it is given up.
const FAILURES: u32 = 5;
/// Having been ready for so long ends a row.
const HEALTHY: Duration = Duration::from_secs(60);

/// A supervised agent, as others see it.
pub struct Running {
    stop: CancellationToken,
    over: CancellationToken,
    endpoint: watch::Receiver<Option<Endpoint>>,
    /// Ends with `over`; kept so that a panic in it is seen.
    task: JoinHandle<()>,
}

impl Running {
    pub fn new(starter: Starter, started: Started, events: mpsc::Sender<RuntimeEvent>) -> Self {
        let (shown, endpoint) = watch::channel(Some(started.endpoint.clone()));
        let (stop, over) = (CancellationToken::new(), CancellationToken::new());
        let guard = over.clone().drop_guard();
        let supervisor = Supervisor { starter, events, shown, stop: stop.clone() };
        let task = tokio::spawn(async move {
            let _guard = guard;
            supervisor.run(started).await;
        });
        Self { stop, over, endpoint, task }
    }

    /// Asks the agent to end. Others wait with `over`.
    pub fn stop(&self) -> CancellationToken {
        self.stop.cancel();
        self.over.clone()
    }

    pub fn over(&self) -> CancellationToken {
        self.over.clone()
    }

    pub fn is_over(&self) -> bool {
        self.over.is_cancelled() || self.task.is_finished()
    }

    /// `None` between a crash and the next start.
    pub fn endpoint(&self) -> watch::Receiver<Option<Endpoint>> {
        self.endpoint.clone()
    }
}

struct Supervisor {
    starter: Starter,
    events: mpsc::Sender<RuntimeEvent>,
    shown: watch::Sender<Option<Endpoint>>,
    stop: CancellationToken,
}

impl Supervisor {
    async fn run(self, mut started: Started) {
        let mut failures = 0;
        loop {
            let since = Instant::now();
            let log_from = started.log_from;
            let Some(reason) = self.watch(started).await else { break };
            if since.elapsed() >= HEALTHY {
                failures = 0;
            }
            let words = self.starter.log.last_words(log_from, Arc::clone(&self.starter.redactor)).await;
            match self.start_again(&mut failures, reason, words).await {
                Some(next) => started = next,
                None => break,
            }
        }
        self.shown.send_replace(None);
        let folder = self.starter.folder.clone();
        let _ = tokio::task::spawn_blocking(move || folder.forget_record()).await;
    }

    /// Until the agent ends by itself, with how it did; `None` once it was stopped.
    async fn watch(&self, started: Started) -> Option<String> {
        let mut process = started.process;
        let options = &self.starter.options;
        let mut tick = interval(options.log_check);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let exit = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    self.shown.send_replace(None);
                    process.stop(options.stop_grace, &self.starter.orphans).await;
                    return None;
                }
                exit = process.wait() => break exit,
                _ = tick.tick() => self.starter.log.bound().await,
            }
        };
        self.shown.send_replace(None);
        // What it started would otherwise work on in the same folder beside the next one.
        process.end(&self.starter.orphans).await;
        Some(exit.to_string())
    }

    /// `None` if it was stopped meanwhile, or given up.
    async fn start_again(&self, failures: &mut u32, mut reason: String, words: String) -> Option<Started> {
        let mut full = with_words(&reason, &words);
        loop {
            *failures += 1;
            let project = self.starter.launch.project.clone();
            if *failures >= FAILURES {
                let reason = format!("The agent ended {FAILURES} times in a row; the last time it {full}").trim_end().to_owned();
                self.tell(RuntimeEvent::Failed { project, reason }).await;
                return None;
            }
            tracing::debug!(%project, %reason, "an agent ended and is started again");
            self.tell(RuntimeEvent::Crashed { project: project.clone(), reason: format!("The agent {reason}.") }).await;
            let begun = async {
                sleep(self.pause(*failures)).await;
                self.starter.start(&Shown(None)).await
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    // The start was dropped and its group killed; what left the group is still to be ended.
                    self.starter.orphans.end(|process| process.project == project.0).await;
                    return None;
                }
                result = begun => match result {
                    Ok(started) => {
                        let endpoint = started.endpoint.clone();
                        self.shown.send_replace(Some(endpoint.clone()));
                        self.tell(RuntimeEvent::Restarted { project, endpoint }).await;
                        return Some(started);
                    }
                    Err(fault) => {
                        full = fault.whole();
                        reason = fault.text;
                    }
                },
            }
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let (base, max) = self.starter.options.backoff;
        base.saturating_mul(1 << (failures - 1).min(16)).min(max)
    }

    async fn tell(&self, event: RuntimeEvent) {
        tokio::select! {
            // An engine that does not listen must not keep an agent from being stopped.
            () = self.stop.cancelled() => {}
            _ = self.events.send(event) => {}
        }
    }
}
