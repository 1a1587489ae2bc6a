//! From what runs to what is wanted: what is read first, then each workload as soon as what it waits for is so, then what leads to
//! them; at last what is no longer wanted goes.
//!
//! Invariants: nothing is written while anything is refused; each write is noted before it is sent; a deployment that fails is
//! taken back. News come from watches.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use kube::api::PropagationPolicy;
use kube::runtime::wait::{await_condition, conditions};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::calls::{Calls, How};
use super::journal::{Entry, Journal};
use super::kinds::{Key, Kind, Part};
use super::live::Watching;
use super::plan::{Change, Plan, Planned, planned, without_replicas};
use super::rollout::{self, Stand, Wanted};
use super::undo::{Undone, undo};
use super::{Manifests, Patience, Target};
use crate::error::Error;
use crate::model::workload::Condition;
use crate::runtime::kubernetes::diagnose::{self, Diagnosis};
use crate::runtime::kubernetes::logs;
use crate::runtime::kubernetes::release::Object;
use crate::runtime::kubernetes::secrets::Secrets;
use crate::runtime::kubernetes::seen::Seen;
use crate::runtime::kubernetes::steps::Steps;
use crate::runtime::kubernetes::trouble::Trouble;

/// How long an object that is made anew may take to go.
const GOING: std::time::Duration = std::time::Duration::from_secs(90);

/// What a deployment did.
#[derive(Debug, Clone, Default)]
pub struct Deployed {
    pub made: Vec<Key>,
    pub changed: Vec<Key>,
    /// Gone and made again.
    pub anew: Vec<Key>,
    pub same: usize,
    pub pruned: Vec<Key>,
    /// Claims that are no longer used and stay.
    pub kept: Vec<String>,
    /// What was to go and did not: a sentence each.
    pub left: Vec<String>,
    pub made_namespace: bool,
    pub warnings: Vec<String>,
}

/// Why a deployment did not succeed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Nothing was begun.
    pub refused: bool,
    pub workload: Option<String>,
    /// Sentences.
    pub why: String,
    /// How it stands now. None, if nothing was begun.
    pub undone: Option<Undone>,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        let now = failed.undone.map(|undone| format!("\n{}", undone.what)).unwrap_or_default();
        match failed.refused {
            true => Error::Refused(failed.why),
            false => Error::Failed(format!("{}{now}", failed.why)),
        }
    }
}

/// Why one workload did not come up, or one object could not be written.
enum Failure {
    Trouble(String, Trouble),
    Workload(String, Box<Seen>, Box<Diagnosis>),
    Gone(String),
}

/// Dropping the future leaves what `journal` tells; [`undo`] takes it back, and so does deploying again.
pub async fn deploy(
    target: &Target,
    manifests: &Manifests,
    before: Option<&Manifests>,
    prune_claims: bool,
    journal: &Journal,
    steps: &crate::runtime::Steps,
    patience: Patience,
) -> Result<Deployed, Failed> {
    let shown = Steps(steps.clone());
    let doing = format!("deploying `{}`", target.release);
    let calls = Calls::new(target);
    shown.running("objects", "Comparing with what is there".to_owned()).await;
    let nothing = |refused, why| Failed { refused, workload: None, why, undone: None };
    let plan = match planned(&calls, manifests, prune_claims).await {
        Ok(plan) => plan,
        Err(trouble) => {
            shown.failed("objects", "The cluster cannot be asked").await;
            return Err(nothing(false, target.told(&trouble, &doing).to_string()));
        }
    };
    let refusals = plan.refusals();
    if !refusals.is_empty() {
        shown.failed("objects", "It cannot be deployed so").await;
        return Err(nothing(true, format!("{} Nothing was changed.", refusals.join(" "))));
    }
    let run = Run { target, calls: &calls, manifests, plan: &plan, journal, steps: &shown, patience };
    let failure = match run.all().await {
        Ok(left) => return Ok(run.told(left)),
        Err(failure) => failure,
    };
    let (workload, why) = run.why(failure, &doing).await;
    if journal.is_empty() {
        return Err(Failed { refused: false, workload, why, undone: None });
    }
    let undone = undo(target, before, journal, steps, patience).await;
    Err(Failed { refused: false, workload, why, undone: Some(undone) })
}

/// Writes what is planned of one object. What is there then, if it was written.
pub async fn write(
    calls: &Calls,
    planned: &Planned,
    object: &Object,
    journal: Option<&Journal>,
) -> Result<Option<Value>, Trouble> {
    let note = |entry: Entry| journal.iter().for_each(|journal| journal.note(entry.clone()));
    let adapted = planned.scaled_by.is_some().then(|| without_replicas(object));
    let object = adapted.as_ref().unwrap_or(object);
    let key = planned.key.clone();
    match &planned.change {
        Change::Same => Ok(None),
        Change::Create => {
            note(Entry::Made(key));
            calls.apply(object, How::default()).await.map(Some)
        }
        Change::Change(_) => {
            note(Entry::Changed(key));
            let how = How { dry: false, force: true, uid: planned.uid.clone() };
            calls.apply(object, how).await.map(Some)
        }
        Change::Recreate(..) => {
            note(Entry::Deleted(key));
            ended(calls, &planned.key, planned.uid.clone()).await?;
            calls.apply(object, How::default()).await.map(Some)
        }
        Change::Foreign(owner) => Err(Trouble::Conflict(format!("{key} belongs to {owner}"))),
        Change::Refused(why) => Err(Trouble::Invalid(why.trim_end_matches('.').to_owned())),
    }
}

/// Deletes an object with its pods and waits until it is gone.
pub async fn ended(calls: &Calls, key: &Key, uid: Option<String>) -> Result<(), Trouble> {
    let how = if key.is_workload() { PropagationPolicy::Foreground } else { PropagationPolicy::Background };
    if !calls.delete(key, uid.clone(), how).await? {
        return Ok(());
    }
    let (Some(kind), Some(uid)) = (Kind::of(&key.kind), uid) else { return Ok(()) };
    let gone = await_condition(calls.api(kind), &key.name, conditions::is_deleted(&uid));
    match timeout(GOING, gone).await {
        Ok(_) => Ok(()),
        Err(_) => Err(Trouble::Other(format!("{key} does not go; something in the cluster holds it (a finalizer)"))),
    }
}

struct Run<'a> {
    target: &'a Target,
    calls: &'a Calls,
    manifests: &'a Manifests,
    plan: &'a Plan,
    journal: &'a Journal,
    steps: &'a Steps,
    patience: Patience,
}

/// How far a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Waiting,
    Started,
    Done,
}

type Phases<'a> = BTreeMap<&'a str, watch::Sender<Phase>>;

impl<'a> Run<'a> {
    async fn all(&self) -> Result<Vec<String>, Failure> {
        let at = |what: &str| {
            let what = what.to_owned();
            move |trouble| Failure::Trouble(what, trouble)
        };
        if self.plan.makes_namespace {
            self.steps.running("namespace", format!("Making the namespace {}", self.target.namespace)).await;
            self.journal.note(Entry::Namespace);
            self.calls.make_namespace().await.map_err(at("the namespace"))?;
            self.steps.done("namespace", format!("The namespace {} is made", self.target.namespace)).await;
        }
        let kinds = super::kinds::KINDS.iter().filter(|kind| self.manifests.objects.iter().any(|o| o.kind == kind.kind));
        let watching = Watching::start(self.calls, kinds.filter(|kind| kind.part == Part::Workload));
        self.write_part(Part::Before).await?;
        watching.synced().await.map_err(at("what runs"))?;
        let workloads: Vec<(&Planned, &Object)> = self.part(Part::Workload).collect();
        let phases: Phases<'_> =
            workloads.iter().map(|(planned, object)| (named(planned, object), watch::Sender::new(Phase::Waiting))).collect();
        let runs = workloads.iter().map(|(planned, object)| self.workload(planned, object, &watching, &phases));
        try_join_all(runs).await?;
        self.write_part(Part::After).await?;
        Ok(self.prune().await)
    }

    fn part(&self, part: Part) -> impl Iterator<Item = (&'a Planned, &'a Object)> {
        let pairs = self.plan.objects.iter().zip(&self.manifests.objects);
        pairs.filter(move |(planned, _)| planned.key.part() == part)
    }

    async fn write_part(&self, part: Part) -> Result<(), Failure> {
        let writes = self.part(part).map(async |(planned, object)| {
            let written = write(self.calls, planned, object, Some(self.journal)).await;
            written.map_err(|trouble| Failure::Trouble(format!("the {}", planned.key), trouble))
        });
        // All of them end, so that none is on its way while they are taken back.
        join_all(writes).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        if part == Part::Before {
            let n = self.part(part).count();
            self.steps
                .done("objects", if n == 1 { "1 object is in place".to_owned() } else { format!("{n} objects are in place") })
                .await;
        }
        Ok(())
    }

    async fn workload(
        &self,
        planned: &Planned,
        object: &Object,
        watching: &Watching,
        phases: &Phases<'_>,
    ) -> Result<(), Failure> {
        let name = named(planned, object);
        let fail = |trouble| Failure::Trouble(format!("the {}", planned.key), trouble);
        for wait in self.manifests.waits.get(name).into_iter().flatten() {
            let Some(other) = phases.get(wait.on.as_str()) else { continue };
            let (least, what) = match wait.condition {
                Condition::Started => (Phase::Started, "to start"),
                Condition::Healthy => (Phase::Done, "to be ready"),
                Condition::Completed => (Phase::Done, "to end well"),
            };
            let mut other = other.subscribe();
            if *other.borrow() < least {
                self.steps.running(name, format!("{name}: waiting for {} {what}", wait.on)).await;
            }
            // The sender lives as long as this.
            let _ = other.wait_for(|phase| *phase >= least).await;
        }
        // One of another kind must not run beside it.
        for (key, uid) in self.plan.prune.iter().filter(|(key, _)| key.is_workload() && key.name == planned.key.name) {
            self.journal.note(Entry::Deleted(key.clone()));
            ended(self.calls, key, uid.clone()).await.map_err(fail)?;
        }
        let mut live = watching.subscribe();
        let mut wanted = Wanted { key: planned.key.clone(), workload: name.to_owned(), ..Wanted::default() };
        {
            let live = live.borrow();
            wanted.told = live.events.iter().map(|event| (event.uid.clone(), event.count)).collect();
            if planned.change != Change::Same {
                wanted.old = live.pods_of(name).map(|pod| pod.uid.clone()).collect();
            }
        }
        let written = write(self.calls, planned, object, Some(self.journal)).await.map_err(fail)?;
        if let Change::Change(fields) = &planned.change
            && !fields.iter().any(|field| field.path.starts_with("spec.template"))
        {
            wanted.old.clear();
        }
        match &written {
            Some(now) => {
                wanted.uid = now["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                wanted.generation = now["metadata"]["generation"].as_i64().unwrap_or(0);
                self.steps.running(name, format!("{name}: applied")).await;
            }
            None => wanted.uid = planned.uid.clone().unwrap_or_default(),
        }
        let waited_for =
            self.manifests.waits.values().flatten().any(|wait| wait.on == name && wait.condition == Condition::Completed);
        let end = Instant::now() + self.patience.most;
        let mut quiet = Instant::now() + self.patience.quiet;
        let mut last = String::new();
        let reached = |now: Phase| {
            if let Some(phase) = phases.get(name) {
                phase.send_if_modified(|phase| std::mem::replace(phase, now) != now);
            }
        };
        loop {
            let stand = rollout::stand(&live.borrow_and_update(), &wanted);
            match stand {
                Stand::Done(text) => {
                    self.steps.done(name, format!("{name}: {text}")).await;
                    reached(Phase::Done);
                    return Ok(());
                }
                Stand::Failing(why) => {
                    let seen = rollout::seen(&live.borrow(), &wanted);
                    return Err(Failure::Workload(name.to_owned(), Box::new(seen), Box::new(why)));
                }
                Stand::Gone => return Err(Failure::Gone(name.to_owned())),
                Stand::Started(ref text) | Stand::Going(ref text) => {
                    if matches!(stand, Stand::Started(_)) {
                        reached(Phase::Started);
                        if planned.key.kind == "Job" && !waited_for {
                            self.steps.done(name, format!("{name}: runs")).await;
                            return Ok(());
                        }
                    }
                    if *text != last {
                        last.clone_from(text);
                        quiet = Instant::now() + self.patience.quiet;
                        self.steps.running(name, format!("{name}: {text}")).await;
                    }
                }
            }
            let over = end.min(quiet);
            tokio::select! {
                _ = live.changed() => {}
                () = sleep_until(over) => {
                    let waited = if over == end { self.patience.most } else { self.patience.quiet };
                    let seen = rollout::seen(&live.borrow(), &wanted);
                    let why = diagnose::at_deadline(&seen, &shown(waited));
                    return Err(Failure::Workload(name.to_owned(), Box::new(seen), Box::new(why)));
                }
            }
        }
    }

    /// What could not go is told, and no reason to take back what runs.
    async fn prune(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (key, uid) in &self.plan.prune {
            self.journal.note(Entry::Deleted(key.clone()));
            self.steps.running("prune", format!("Removing {key}, which it no longer has")).await;
            if let Err(trouble) = self.calls.delete(key, uid.clone(), PropagationPolicy::Background).await {
                left.push(format!("{key} could not be removed: {}.", trouble.short()));
            }
        }
        match self.plan.prune.len() - left.len() {
            0 => {}
            1 => self.steps.done("prune", "1 object that it no longer has is removed".to_owned()).await,
            n => self.steps.done("prune", format!("{n} objects that it no longer has are removed")).await,
        }
        left
    }

    fn told(&self, left: Vec<String>) -> Deployed {
        let of = |which: fn(&Change) -> bool| -> Vec<Key> {
            self.plan.objects.iter().filter(|planned| which(&planned.change)).map(|planned| planned.key.clone()).collect()
        };
        let mut warnings = self.plan.warnings.clone();
        warnings.extend(self.calls.warnings());
        warnings.sort();
        warnings.dedup();
        Deployed {
            made: of(|change| matches!(change, Change::Create)),
            changed: of(|change| matches!(change, Change::Change(_))),
            anew: of(|change| matches!(change, Change::Recreate(..))),
            same: of(|change| *change == Change::Same).len(),
            pruned: self.plan.prune.iter().map(|(key, _)| key.clone()).collect(),
            kept: self.plan.kept.clone(),
            left,
            made_namespace: self.plan.makes_namespace,
            warnings,
        }
    }

    /// The workload and the sentences.
    async fn why(&self, failure: Failure, doing: &str) -> (Option<String>, String) {
        match failure {
            Failure::Trouble(what, trouble) => {
                self.steps.failed("objects", &format!("The cluster does not take {what}")).await;
                (None, self.target.told(&trouble, &format!("{doing} ({what})")).to_string())
            }
            Failure::Gone(name) => {
                self.steps.failed(&name, &format!("{name}: deleted by somebody else")).await;
                let why = format!("`{name}` was deleted in the cluster while it was being deployed.");
                (Some(name), why)
            }
            Failure::Workload(name, seen, why) => {
                self.steps.failed(&name, &format!("{name}: did not come up")).await;
                let mut words = String::new();
                if let (Some((container, previous)), Some(pod)) = (&why.words_of, seen.pod()) {
                    let secrets = Secrets::of(&self.manifests.secrets());
                    let last = logs::last_words_in(&self.calls.client, pod, container, *previous, &secrets).await;
                    if !last.is_empty() {
                        words = format!("\nThe last lines of its log:\n```\n{}\n```", last.replace("```", "'''"));
                    }
                }
                let sentences = format!("`{name}` did not come up. {}{words}", why.sentence());
                (Some(name), sentences)
            }
        }
    }
}

fn named<'o>(planned: &'o Planned, object: &'o Object) -> &'o str {
    object.workload.as_deref().unwrap_or(&planned.key.name)
}

/// `5 min`, `90 s`.
fn shown(time: std::time::Duration) -> String {
    match time.as_secs() {
        s if s >= 60 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
