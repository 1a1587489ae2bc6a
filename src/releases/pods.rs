//! Into the pods of a workload: their logs, and commands in them.
//!
//! Invariant: what the release's Secrets hold is taken out of every line; if it cannot be read what they hold, nothing is shown.

use std::collections::HashSet;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::calls::Calls;
use super::kinds::Kind;
use super::live::Watching;
use super::{Target, values};
use crate::error::{Error, Result, refused};
use crate::runtime::kubernetes::release::NAME;
use crate::runtime::kubernetes::secrets::Secrets;
use crate::runtime::kubernetes::seen::{PodSeen, State};
use crate::runtime::kubernetes::trouble::Trouble;
use crate::runtime::kubernetes::{exec as process, logs as lines};
use crate::runtime::{Execution, LogQuery, Redactor};

/// How long a log that cannot be read may take to say so.
const FIRST: std::time::Duration = std::time::Duration::from_millis(500);

async fn pods(calls: &Calls, workload: &str) -> Result<Vec<PodSeen>, Trouble> {
    let selector = format!("{},{NAME}={workload}", calls.selector());
    let found = calls.list(&super::kinds::POD, &selector).await?;
    let mut pods: Vec<PodSeen> =
        found.into_iter().filter_map(|pod| serde_json::from_value(pod).ok()).map(|pod| PodSeen::of(&pod, workload)).collect();
    pods.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| a.name.cmp(&b.name)));
    Ok(pods)
}

/// What nobody may see of what the release's pods were given.
async fn secrets(calls: &Calls) -> Result<Vec<secrecy::SecretString>, Trouble> {
    let Some(kind) = Kind::of("Secret") else { return Ok(Vec::new()) };
    let found = calls.list(kind, &calls.selector()).await?;
    Ok(found.iter().flat_map(values).collect())
}

/// The lines of all pods of a workload, by pod if there are several. Those that come while it is followed, too.
pub async fn logs(target: &Target, workload: &str, query: LogQuery) -> Result<mpsc::Receiver<String>> {
    let calls = Calls::new(target);
    let doing = format!("reading the logs of `{workload}`");
    let tell = |trouble: Trouble| target.told(&trouble, &doing);
    let found = pods(&calls, workload).await.map_err(tell)?;
    if found.is_empty() && !query.follow {
        return refused(format!("`{workload}` has no pods now, so there are no logs."));
    }
    let hidden = secrets(&calls).await.map_err(tell)?;
    let (sender, receiver) = mpsc::channel(256);
    let several = found.len() > 1 || query.follow;
    let client = target.streams.clone();
    let mut readers: JoinSet<Result<(), Trouble>> = JoinSet::new();
    let mut known = HashSet::new();
    let mut read = move |readers: &mut JoinSet<_>, pod: &PodSeen, several: bool, sender: &mpsc::Sender<String>| {
        if !known.insert(pod.uid.clone()) {
            return;
        }
        let (client, pod, sender) = (client.clone(), pod.clone(), sender.clone());
        let redactor = Redactor::new(&hidden);
        readers.spawn(async move {
            let lines = lines::lines(&client, &pod, &pod.main, query).await?;
            let mut lines = std::pin::pin!(lines);
            loop {
                let line = tokio::select! {
                    () = sender.closed() => return Ok(()),
                    line = lines.next() => line,
                };
                let Some(Ok(line)) = line else { return Ok(()) };
                let line = redactor.redact(&line);
                let line = if several { format!("[{}] {line}", pod.name) } else { line };
                if sender.send(line).await.is_err() {
                    return Ok(());
                }
            }
        });
    };
    if !query.follow {
        found.iter().for_each(|pod| read(&mut readers, pod, several, &sender));
        // One that has not begun yet has nothing to say; if none has, why is told.
        let mut first = None;
        let count = found.len();
        let (mut ended, mut failed) = (0, 0);
        drop(sender);
        while failed == ended && ended < count {
            let next = tokio::time::timeout(FIRST, readers.join_next());
            let Ok(Some(outcome)) = next.await else { break };
            ended += 1;
            if let Ok(Err(trouble)) = outcome {
                failed += 1;
                first = first.or(Some(trouble));
            }
        }
        if let Some(trouble) = first.filter(|_| failed == count) {
            return Err(tell(trouble));
        }
        tokio::spawn(async move { while readers.join_next().await.is_some() {} });
        return Ok(receiver);
    }
    let (calls, workload) = (calls.clone(), workload.to_owned());
    tokio::spawn(async move {
        let watching = Watching::start(&calls, []);
        let mut live = watching.subscribe();
        loop {
            let begun: Vec<PodSeen> = live.borrow_and_update().pods_of(&workload).filter(|pod| has_begun(pod)).cloned().collect();
            begun.iter().for_each(|pod| read(&mut readers, pod, several, &sender));
            tokio::select! {
                () = sender.closed() => return,
                changed = live.changed() => if changed.is_err() { return },
                Some(_) = readers.join_next() => {}
            }
        }
    });
    Ok(receiver)
}

fn has_begun(pod: &PodSeen) -> bool {
    pod.agent.as_ref().is_some_and(|container| !matches!(container.state, State::Waiting { .. }) || container.last.is_some())
}

/// Runs a command in a ready pod of a workload, or in one that runs at least. Tells which.
pub async fn exec(target: &Target, workload: &str, command: Vec<String>) -> Result<(String, Execution)> {
    let calls = Calls::new(target);
    let doing = format!("running a command in `{workload}`");
    let tell = |trouble: Trouble| target.told(&trouble, &doing);
    let found = pods(&calls, workload).await.map_err(tell)?;
    let living = || found.iter().filter(|pod| !pod.deleting);
    let runs = |pod: &&PodSeen| pod.agent.as_ref().is_some_and(|container| matches!(container.state, State::Running));
    // The newest: an older one may be about to go.
    let Some(pod) = living().rfind(|pod| pod.ready).or_else(|| living().rfind(runs)) else {
        return Err(Error::Refused(format!("No pod of `{workload}` runs now, so nothing can be run in it.")));
    };
    let hidden = secrets(&calls).await.map_err(tell)?;
    let execution = process::run_in(&target.streams, pod, &pod.main, command, Secrets::of(&hidden)).await.map_err(tell)?;
    Ok((pod.name.clone(), execution))
}
