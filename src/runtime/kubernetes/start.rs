//! From a launch to a ready agent: objects are applied, then the cluster is watched, step by step.
//!
//! Invariant: what a run that fails has made is taken back, and nothing else.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::api::Cluster;
use super::diagnose::{self, Diagnosis};
use super::logs;
use super::objects::{Kind, Manifest, Plan};
use super::options::Options;
use super::seen::{AGENT, CLONE, Seen, State};
use super::steps::Steps;
use super::trouble::Trouble;
use super::undo::Undo;
use super::view::Key;
use crate::error::{Error, Result, refused};
use crate::model::ProjectId;

/// After so long without any news, the cluster is asked past the watches: a dead connection says nothing either.
const QUIET: Duration = Duration::from_secs(15);
/// How long it is tried to take back what a run has begun when the cluster does not answer as it is.
const UNDO: Duration = Duration::from_secs(5);
/// How long a namespace may take to end before the same one can be made again.
const ENDING: Duration = Duration::from_secs(60);

/// A run that makes and starts.
pub struct Start<'a> {
    pub cluster: &'a Cluster,
    pub options: &'a Options,
    pub project: &'a ProjectId,
    pub name: &'a str,
    pub plan: &'a Plan,
    pub steps: &'a Steps,
    /// What this run made, in its order.
    made: Vec<Key>,
    /// The cluster did not answer, so it will hardly answer when this run is taken back.
    away: Option<Trouble>,
    /// What is still to be taken back.
    pub left: Left,
}

/// What a run that failed leaves to be done.
pub enum Left {
    Nothing,
    /// Perhaps what the owner's projects share.
    Shared(Undo),
    All(Undo),
}

impl<'a> Start<'a> {
    pub fn new(
        cluster: &'a Cluster,
        options: &'a Options,
        (project, name): (&'a ProjectId, &'a str),
        plan: &'a Plan,
        steps: &'a Steps,
    ) -> Self {
        Self { cluster, options, project, name, plan, steps, made: Vec::new(), away: None, left: Left::Nothing }
    }

    /// Makes everything, with no pod.
    pub async fn create(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.options.activation_timeout;
        match self.objects(0, deadline).await {
            Ok(()) => Ok(()),
            Err(trouble) => {
                self.steps.failed("objects", "The project's objects cannot be made").await;
                let error = trouble.told(&format!("creating the project `{}`", self.name));
                self.away = Some(trouble).filter(Trouble::passes);
                Err(self.taken_back(error, false).await)
            }
        }
    }

    /// Makes everything, starts the pod, and returns when the agent is ready.
    pub async fn activate(&mut self, cancel: &CancellationToken) -> Result<()> {
        let deadline = Instant::now() + self.options.activation_timeout;
        // Begun before the first object is made, so that none of its events is missed.
        let _listening = self.cluster.view.listen(&self.cluster.clients, &self.plan.namespace);
        let begun = async {
            let mut attempts = 0;
            loop {
                if let Err(trouble) = self.objects(1, deadline).await {
                    self.steps.failed("objects", "The project's objects cannot be made").await;
                    let error = trouble.told(&format!("starting the project `{}`", self.name));
                    self.away = Some(trouble).filter(Trouble::passes);
                    return Err(error);
                }
                match self.ready(deadline).await {
                    // What was there already could still be changed in a namespace that was being ended.
                    Err(_) if self.namespace_ends() && attempts < 3 && Instant::now() < deadline => {
                        attempts += 1;
                        self.made.clear();
                    }
                    result => return result,
                }
            }
        };
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => refused(format!("The start of `{}` was stopped.", self.name)),
            result = begun => result,
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(self.taken_back(error, true).await),
        }
    }

    async fn objects(&mut self, replicas: i32, deadline: Instant) -> Result<(), Trouble> {
        let namespace = &self.plan.namespace;
        self.steps.running("namespace", format!("Preparing the namespace {namespace}")).await;
        let mut attempts = 0;
        loop {
            self.namespace_free(deadline).await?;
            match self.apply_all(replicas).await {
                // It was told to end while we were at it.
                Err(Trouble::Terminating(_)) if attempts < 3 && Instant::now() < deadline => {
                    attempts += 1;
                    self.made.clear();
                    sleep(Duration::from_millis(500)).await;
                }
                other => return other,
            }
        }
    }

    fn namespace_ends(&self) -> bool {
        let key = Key { kind: Kind::Namespace, namespace: String::new(), name: self.plan.namespace.clone() };
        self.cluster.view.object(&key).is_some_and(|k| k.deleting)
    }

    /// Waits until a namespace that is being ended is gone.
    async fn namespace_free(&self, deadline: Instant) -> Result<(), Trouble> {
        let key = Key { kind: Kind::Namespace, namespace: String::new(), name: self.plan.namespace.clone() };
        let ending = || self.cluster.view.object(&key).is_some_and(|k| k.deleting);
        if !ending() {
            return Ok(());
        }
        self.steps.running("namespace", format!("Waiting for the namespace {} to end", key.name)).await;
        let end = deadline.min(Instant::now() + ENDING);
        tokio::select! {
            () = self.cluster.view.until(|_| !ending()) => Ok(()),
            () = sleep_until(end) => Err(Trouble::Terminating(key.name.clone())),
        }
    }

    async fn apply_all(&mut self, replicas: i32) -> Result<(), Trouble> {
        let shared = &self.plan.shared;
        let (namespace, rest) = shared.split_first().ok_or_else(|| Trouble::Other("a plan without a namespace".into()))?;
        if self.ours(namespace).await? {
            self.ensure(namespace).await?;
        }
        self.all(rest).await?;
        self.tidy().await?;
        self.steps.done("namespace", format!("The namespace {} is there", namespace.name)).await;
        self.steps.running("objects", "Making the project's objects".to_owned()).await;
        self.all(&self.plan.own).await?;
        self.ensure(&self.plan.deployment.with_replicas(replicas)).await?;
        self.steps.done("objects", format!("{} objects are in place", self.plan.own.len() + 1)).await;
        Ok(())
    }

    /// Whether the namespace is ours to make and to change. One that somebody else made is used as it is.
    async fn ours(&self, namespace: &Manifest) -> Result<bool, Trouble> {
        if self.cluster.view.object(&Key::of(namespace)).is_some() {
            return Ok(true);
        }
        Ok(self.cluster.namespace(&namespace.name).await?.unwrap_or(true))
    }

    async fn all(&mut self, manifests: &[Manifest]) -> Result<(), Trouble> {
        let view = &self.cluster.view;
        let missing: Vec<&Manifest> = manifests.iter().filter(|m| !view.has(m)).collect();
        // Nobody tells of a Secret: one of a project that is there already is taken for an old one.
        let known = view.object(&Key::of(&self.plan.deployment)).is_some();
        let is_new = |key: &Key| view.object(key).is_none() && !(known && key.kind == Kind::Secret);
        let new: Vec<Key> = missing.iter().map(|m| Key::of(m)).filter(is_new).collect();
        let results = futures_util::future::join_all(missing.iter().map(|m| self.cluster.apply(m))).await;
        for (manifest, result) in missing.iter().zip(&results) {
            let key = Key::of(manifest);
            // One whose answer was lost may have been made.
            if new.contains(&key) && result.as_ref().err().is_none_or(Trouble::passes) {
                self.made.push(key);
            }
        }
        results.into_iter().collect()
    }

    /// Deletes what an earlier configuration or earlier settings wanted and these do not. A disk stays: it holds work.
    async fn tidy(&self) -> Result<(), Trouble> {
        let view = &self.cluster.view;
        let wanted: Vec<Key> = self.plan.all().map(Key::of).collect();
        let shared = view.in_namespace(&self.plan.namespace).into_iter().filter(|(_, known)| known.project.is_none());
        let own = view.of_project(self.project).into_iter();
        for (key, _) in shared.chain(own).filter(|(key, _)| !wanted.contains(key) && key.kind != Kind::Claim) {
            self.cluster.delete(&key).await?;
        }
        Ok(())
    }

    async fn ensure(&mut self, manifest: &Manifest) -> Result<(), Trouble> {
        self.all(std::slice::from_ref(manifest)).await
    }

    /// Watches until the agent is ready, will never be, or its time is over.
    async fn ready(&self, deadline: Instant) -> Result<()> {
        let mut watch = self.cluster.view.project(self.project);
        let mut shown = Shown::default();
        loop {
            let seen = watch.borrow_and_update().clone();
            for (step, done, text) in shown.news(&seen) {
                match done {
                    true => self.steps.done(step, text).await,
                    false => self.steps.running(step, text).await,
                }
            }
            if seen.ready_pod().is_some() && seen.wanted() {
                return Ok(());
            }
            if shown.deployed && seen.deployment.as_ref().is_none_or(|d| d.deleting) {
                return Err(Error::Failed(format!(
                    "The Deployment of `{}` was deleted in the cluster while it was starting. `/project activate {0}` makes it anew.",
                    self.name
                )));
            }
            if let Some(why) = diagnose::hopeless(&seen) {
                return Err(self.failed(&seen, why).await);
            }
            tokio::select! {
                _ = watch.changed() => {}
                () = sleep_until(deadline) => {
                    let waited = shown_duration(self.options.activation_timeout);
                    return Err(self.failed(&seen, diagnose::at_deadline(&seen, &waited)).await);
                }
                () = sleep(QUIET) => {
                    if let Err(trouble) = self.cluster.refresh(self.project, &self.plan.namespace).await {
                        self.steps.running("start", format!("Waiting: {}", trouble.short())).await;
                        if Instant::now() >= deadline {
                            return Err(trouble.told(&format!("starting the project `{}`", self.name)));
                        }
                    }
                }
            }
        }
    }

    async fn failed(&self, seen: &Seen, why: Diagnosis) -> Error {
        self.steps.failed("start", "The agent did not become ready").await;
        let mut words = String::new();
        if let Some((container, previous)) = &why.words_of
            && let Some(pod) = seen.pod()
        {
            let last = logs::last_words(self.cluster, pod, container, *previous).await;
            if !last.is_empty() {
                words = format!("\nThe last lines of its log:\n```\n{}\n```", last.replace("```", "'''"));
            }
        }
        Error::Failed(format!("`{}` could not be started. {}{words}", self.name, why.sentence()))
    }

    /// Undoes this run: the cluster is as it was before.
    async fn taken_back(&mut self, error: Error, started: bool) -> Error {
        self.steps.running("undo", "Taking back what was begun".to_owned()).await;
        let undo = self.undo(started);
        let undone = match self.away.clone() {
            None => undo.run().await,
            Some(trouble) => timeout(UNDO, undo.run()).await.unwrap_or(Err(trouble)),
        };
        match undone {
            Ok(()) => {
                self.steps.done("undo", "What was begun is taken back".to_owned()).await;
                self.left = Left::Shared(undo);
                error
            }
            Err(trouble) => {
                self.steps.failed("undo", "Not everything could be taken back yet").await;
                self.left = Left::All(undo);
                let sentence = format!(
                    "{error} What was begun could not all be taken back yet ({}); Gaggle does it as soon as the cluster answers.",
                    trouble.short(),
                );
                match error {
                    Error::Refused(_) => Error::Refused(sentence),
                    _ => Error::Failed(sentence),
                }
            }
        }
    }

    /// How to take back what this run made.
    fn undo(&self, started: bool) -> Undo {
        let deployment = Key::of(&self.plan.deployment);
        let is_shared = |key: &Key| self.plan.shared.iter().any(|manifest| Key::of(manifest) == *key);
        Undo {
            cluster: self.cluster.clone(),
            options: self.options.clone(),
            project: self.project.clone(),
            namespace: self.plan.namespace.clone(),
            scaled: (started && !self.made.contains(&deployment)).then_some(deployment.name),
            objects: self.made.iter().rev().filter(|key| !is_shared(key)).cloned().collect(),
            shared: self.made.iter().any(is_shared),
            started,
        }
    }
}

/// Which steps were told already.
#[derive(Default)]
struct Shown {
    told: Vec<(&'static str, String)>,
    deployed: bool,
}

impl Shown {
    /// What is new to tell: step, whether it is over, text.
    fn news(&mut self, seen: &Seen) -> Vec<(&'static str, bool, String)> {
        self.deployed |= seen.deployment.as_ref().is_some_and(|d| !d.deleting);
        let mut now: Vec<(&'static str, bool, String)> = Vec::new();
        match seen.pod().filter(|p| !p.deleting) {
            None => now.push(("pod", false, "Waiting for its pod to be made".into())),
            Some(pod) => match (&pod.node, &pod.unschedulable) {
                (None, Some(why)) => now.push(("pod", false, format!("Waiting for a node: {}", why.trim_end_matches('.')))),
                (None, None) => now.push(("pod", false, "Its pod is made".into())),
                (Some(node), _) => {
                    now.push(("pod", true, format!("Its pod is on the node {node}")));
                    self.containers(seen, pod, &mut now);
                }
            },
        }
        now.retain(|(step, done, text)| {
            let key = (*step, format!("{done}{text}"));
            let new = !self.told.contains(&key);
            if new {
                self.told.push(key);
            }
            new
        });
        now
    }

    fn containers(&self, seen: &Seen, pod: &super::seen::PodSeen, now: &mut Vec<(&'static str, bool, String)>) {
        let pulling = |image: &str| {
            let of_pod = seen.events.iter().rev().filter(|e| e.object == pod.name);
            of_pod
                .filter(|e| e.message.contains(image))
                .find(|e| matches!(e.reason.as_str(), "Pulling" | "Pulled"))
                .map(|e| e.reason.clone())
        };
        if let Some(clone) = &pod.clone {
            match &clone.state {
                State::Running => now.push(("clone", false, "Cloning its repository".into())),
                State::Ended(ended) if ended.code == 0 => now.push(("clone", true, "Its repository is there".into())),
                State::Ended(ended) => now.push(("clone", false, format!("The clone ended with exit code {}", ended.code))),
                State::Waiting { .. } => now.push(("clone", false, format!("Preparing to clone its repository ({CLONE})"))),
            }
        }
        let Some(agent) = &pod.agent else { return };
        match &agent.state {
            State::Waiting { reason, .. } if reason == "PodInitializing" && pod.clone.is_some() => {}
            State::Waiting { reason, message } => match reason.as_str() {
                "ErrImagePull" | "ImagePullBackOff" => {
                    now.push(("image", false, format!("The image {} cannot be pulled yet", agent.image)))
                }
                "CrashLoopBackOff" => now.push(("start", false, format!("Its {AGENT} ended and is started again"))),
                "ContainerCreating" | "PodInitializing" | "" => match pulling(&agent.image).as_deref() {
                    Some("Pulling") => now.push(("image", false, format!("Pulling the image {}", agent.image))),
                    Some(_) => now.push(("image", true, format!("The image {} is there", agent.image))),
                    None => now.push(("start", false, "Making its container".into())),
                },
                other => now.push(("start", false, format!("{other}: {message}"))),
            },
            State::Running => {
                now.push(("image", true, format!("The image {} is there", agent.image)));
                now.push(("start", true, "Its container runs".into()));
                match pod.ready {
                    true => now.push(("ready", true, "The agent answers".into())),
                    false => now.push(("ready", false, "Waiting for the agent to answer".into())),
                }
            }
            State::Ended(ended) => now.push(("start", false, format!("Its container ended with exit code {}", ended.code))),
        }
    }
}

/// `5 min`, `90 s`.
fn shown_duration(time: Duration) -> String {
    match time.as_secs() {
        s if s >= 60 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
