//! Takes back what a deployment has begun, whether it failed or was dropped half way.
//!
//! Invariants: what was there before comes back as it was applied; a claim goes only if that deployment made it. Without a journal
//! nobody knows who made the claims, so they stay. Can be done again and again.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until};

use super::calls::Calls;
use super::delete::{clear, end_namespace};
use super::deploy::write;
use super::journal::{Entry, Journal};
use super::kinds::{KINDS, Key, Part};
use super::live::Watching;
use super::plan::planned;
use super::rollout::{self, Stand, Wanted};
use super::{Manifests, Patience, Target};
use crate::runtime::kubernetes::steps::Steps;
use crate::runtime::kubernetes::trouble::Trouble;

/// How long what was there before is waited for: most of it never went.
const BACK: Duration = Duration::from_secs(120);

/// How often it is looked whether anything is left.
const ROUNDS: usize = 3;

/// How it stands after something was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    pub complete: bool,
    /// Sentences.
    pub what: String,
    /// Claims that stay.
    pub kept: Vec<String>,
}

pub async fn undo(
    target: &Target,
    before: Option<&Manifests>,
    journal: &Journal,
    steps: &crate::runtime::Steps,
    patience: Patience,
) -> Undone {
    let steps = Steps(steps.clone());
    steps.running("undo", "Taking back what was begun".to_owned()).await;
    let run = Run { calls: &Calls::new(target), before, journal, patience };
    match run.all().await {
        Ok(undone) => {
            match undone.complete {
                true => steps.done("undo", undone.what.clone()).await,
                false => steps.failed("undo", &undone.what).await,
            }
            undone
        }
        Err(trouble) => {
            let what = format!(
                "What was begun could not all be taken back yet ({}); deploying or deleting it again mends that.",
                trouble.short()
            );
            steps.failed("undo", &what).await;
            Undone { complete: false, what, kept: Vec::new() }
        }
    }
}

struct Run<'a> {
    calls: &'a Calls,
    before: Option<&'a Manifests>,
    journal: &'a Journal,
    patience: Patience,
}

impl Run<'_> {
    async fn all(&self) -> Result<Undone, Trouble> {
        let watching = Watching::start(self.calls, KINDS.iter().filter(|kind| kind.part == Part::Workload));
        let restored = match self.before {
            Some(before) => self.restore(before).await?,
            None => 0,
        };
        let had =
            |key: &Key| self.before.is_some_and(|before| before.objects.iter().any(|o| o.kind == key.kind && o.name == key.name));
        let touched =
            |key: &Key| self.journal.is_empty() || self.journal.made(key) || self.journal.has(&Entry::Deleted(key.clone()));
        // Without a former state, whatever is left of an earlier try goes too.
        let goes = |key: &Key| match key.is_claim() {
            true => self.journal.made(key) && !had(key),
            false => !had(key) && (self.before.is_none() || touched(key)),
        };
        let waits = self.before.map(|before| before.waits.clone()).unwrap_or_default();
        let (mut removed, mut rounds) = (0, 0);
        // A request that was on its way when its sender was dropped may arrive late.
        let kept: Vec<String> = loop {
            let (gone, stay): (Vec<_>, Vec<_>) = self.calls.ours().await?.into_iter().partition(|(key, _)| goes(key));
            if gone.is_empty() {
                break stay.into_iter().filter(|(key, _)| key.is_claim()).map(|(key, _)| key.name).collect();
            }
            rounds += 1;
            if let Some((key, _)) = gone.first().filter(|_| rounds > ROUNDS) {
                return Err(Trouble::Other(format!("{key} does not go; something in the cluster holds it (a finalizer)")));
            }
            removed += gone.len();
            clear(self.calls, gone.into_iter().map(|(key, meta)| (key, meta.uid)).collect(), &waits).await?;
        };
        if self.journal.has(&Entry::Namespace) && kept.is_empty() {
            end_namespace(self.calls).await?;
        }
        Ok(self.told(restored, removed, kept, &watching).await)
    }

    /// How many objects are as they were again.
    async fn restore(&self, before: &Manifests) -> Result<usize, Trouble> {
        let touched = |kind: &str, name: &str| {
            let key = Key::new(kind, name);
            self.journal.is_empty()
                || self.journal.entries().iter().any(|entry| match entry {
                    Entry::Made(of) | Entry::Changed(of) | Entry::Deleted(of) => *of == key,
                    Entry::Namespace => false,
                })
        };
        let objects = before.objects.iter().filter(|object| touched(object.kind, &object.name)).cloned().collect();
        let former = Manifests { objects, waits: before.waits.clone() };
        let plan = planned(self.calls, &former, false).await?;
        if plan.makes_namespace {
            self.calls.make_namespace().await?;
        }
        for part in [Part::Before, Part::Workload, Part::After] {
            let pairs = plan.objects.iter().zip(&former.objects).filter(|(planned, _)| planned.key.part() == part);
            let writes = pairs.map(|(planned, object)| write(self.calls, planned, object, None));
            join_all(writes).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        Ok(former.objects.len())
    }

    async fn told(&self, restored: usize, gone: usize, kept: Vec<String>, watching: &Watching) -> Undone {
        let stay = match kept.as_slice() {
            [] => String::new(),
            [one] => format!(" The volume {one} stays, with what it holds."),
            several => format!(" The volumes {} stay, with what they hold.", several.join(", ")),
        };
        let Some(before) = self.before else {
            let what = match gone {
                0 => "Nothing of it was left to remove.".to_owned(),
                _ => "Everything that was made is removed again.".to_owned(),
            };
            return Undone { complete: true, what: what + &stay, kept };
        };
        if restored == 0 {
            return Undone { complete: true, what: "What ran before runs on.".to_owned(), kept };
        }
        match self.runs(before, watching).await {
            None => Undone { complete: true, what: "The former state is back, and it runs.".to_owned(), kept },
            Some(why) => {
                let what = format!("The former state is applied again, but not all of it runs: {why}.");
                Undone { complete: false, what, kept }
            }
        }
    }

    /// What of the former state does not run.
    async fn runs(&self, before: &Manifests, watching: &Watching) -> Option<String> {
        if let Err(trouble) = watching.synced().await {
            return Some(trouble.short());
        }
        let mut live = watching.subscribe();
        let end = Instant::now() + self.patience.quiet.min(BACK);
        loop {
            let late = {
                let live = live.borrow_and_update();
                let workloads = before.objects.iter().filter(|object| Key::new(object.kind, "").is_workload());
                workloads.filter(|object| object.kind != "Job").find_map(|object| {
                    let key = Key::new(object.kind, &object.name);
                    let workload = object.workload.clone().unwrap_or_else(|| object.name.clone());
                    let uid = live.objects.get(&key).and_then(|o| o["metadata"]["uid"].as_str()).unwrap_or_default().to_owned();
                    match rollout::stand(&live, &Wanted { key, workload, uid, ..Wanted::default() }) {
                        Stand::Done(_) => None,
                        Stand::Going(text) | Stand::Started(text) => Some(format!("{}: {text}", object.name)),
                        Stand::Failing(why) => Some(format!("{}: {}", object.name, why.what.trim_end_matches('.'))),
                        Stand::Gone => Some(format!("{} is being deleted", object.name)),
                    }
                })
            };
            late.as_ref()?;
            tokio::select! {
                _ = live.changed() => {}
                () = sleep_until(end) => return late,
            }
        }
    }
}
