//! Why an agent does not come up, in words, from what the cluster shows. Pure.
//!
//! Invariant: only what will not mend itself is [`hopeless`]; everything else gets its time until the deadline.

use super::seen::{ContainerSeen, Ended, PodSeen, Seen, State};

/// Restarts after which a container that keeps ending is given up: by then it has failed twice in a row.
const RESTARTS: i32 = 1;

/// A cause, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// A whole sentence.
    pub what: String,
    /// A whole sentence.
    pub next: String,
    /// The container whose last words tell more, and whether it is those of the run before this one.
    pub words_of: Option<(&'static str, bool)>,
}

impl Diagnosis {
    fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into(), words_of: None }
    }

    fn words(mut self, container: &'static str, previous: bool) -> Self {
        self.words_of = Some((container, previous));
        self
    }

    pub fn sentence(&self) -> String {
        format!("{} {}", self.what, self.next)
    }
}

/// What will not mend itself, as soon as it shows.
pub fn hopeless(seen: &Seen) -> Option<Diagnosis> {
    if let Some(why) = seen.deployment.as_ref().and_then(|d| d.replica_failure.as_deref()) {
        return Some(refused(why));
    }
    let pod = seen.pod()?;
    pod.clone.as_ref().and_then(|c| container(c, super::seen::CLONE, false)).or_else(|| {
        let agent = pod.agent.as_ref()?;
        let probe = probe_failure(seen, pod).is_some();
        container(agent, super::seen::AGENT, probe)
    })
}

/// What most likely kept it from becoming ready, when its time is over.
pub fn at_deadline(seen: &Seen, waited: &str) -> Diagnosis {
    if let Some(known) = hopeless(seen) {
        return known;
    }
    let Some(pod) = seen.pod() else {
        if let Some(event) = warning(seen, &["FailedCreate"]) {
            return refused(&event);
        }
        return Diagnosis::new(
            format!("After {waited} the cluster has not made its pod."),
            "Whoever runs the cluster finds out why: its controllers may be down.",
        );
    };
    if pod.reason.as_deref() == Some("Evicted") {
        return evicted(pod);
    }
    if let Some(why) = &pod.unschedulable {
        if let Some(claim) = claim_trouble(seen, why) {
            return claim;
        }
        return Diagnosis::new(
            format!("After {waited} no node of the cluster can take its pod: {}.", trimmed(why)),
            "Ask for less with `/project update --cpu --memory`, make room by deactivating another project, or have a node added.",
        );
    }
    if let Some(why) = warning(seen, &["FailedMount", "FailedAttachVolume"]) {
        return Diagnosis::new(
            format!("After {waited} its disk cannot be mounted: {}.", trimmed(&why)),
            "Whoever runs the cluster can mend its storage; then activate it again.",
        );
    }
    if let Some(node) = &pod.node
        && warning(seen, &["NodeNotReady", "TaintManagerEviction"]).is_some()
    {
        return Diagnosis::new(
            format!("The node {node}, which was to run it, no longer answers."),
            "Activate it again: the cluster then chooses another node.",
        );
    }
    for part in [&pod.clone, &pod.agent].into_iter().flatten() {
        if let State::Waiting { reason, message } = &part.state {
            let why = if message.is_empty() { reason.clone() } else { format!("{reason}: {}", trimmed(message)) };
            match reason.as_str() {
                "ErrImagePull" | "ImagePullBackOff" => return image(part, message),
                "CrashLoopBackOff" => {
                    if let Some(ended) = &part.last {
                        return crashed(ended, "its agent", super::seen::AGENT, probe_failure(seen, pod).is_some(), true);
                    }
                }
                "ContainerCreating" | "PodInitializing" | "" => {
                    let told =
                        warning(seen, &["Failed", "FailedCreatePodSandBox", "BackOff"]).map(|w| format!(": {}", trimmed(&w)));
                    return Diagnosis::new(
                        format!("After {waited} its container is still being made{}.", told.unwrap_or_default()),
                        "A large image may need longer the first time: activate it again. If it stays, whoever runs the cluster looks at the node.",
                    );
                }
                _ => {
                    return Diagnosis::new(
                        format!("After {waited} its container does not start: {why}."),
                        "Mend that, then activate it again.",
                    );
                }
            }
        }
    }
    if pod.clone.as_ref().is_some_and(|c| matches!(c.state, State::Running)) {
        return Diagnosis::new(
            format!("After {waited} its repository is still being cloned."),
            "Check its address and whether the cluster can reach it, or have `[kubernetes] activation_timeout` raised.",
        )
        .words(super::seen::CLONE, false);
    }
    if let Some(why) = probe_failure(seen, pod) {
        return unhealthy(&why, waited);
    }
    let why = pod.not_ready.as_deref().map(|w| format!(" ({})", trimmed(w))).unwrap_or_default();
    Diagnosis::new(
        format!("After {waited} its container runs but does not become ready{why}."),
        "Check that its image speaks on the project's port (`/project update --port`), and look at the last lines of its log.",
    )
    .words(super::seen::AGENT, false)
}

fn unhealthy(why: &str, waited: &str) -> Diagnosis {
    Diagnosis::new(
        format!("After {waited} its agent runs but does not answer on its port: {}.", trimmed(why)),
        "Check that its image speaks on the project's port (`/project update --port`) and takes the configured arguments.",
    )
    .words(super::seen::AGENT, false)
}

fn refused(why: &str) -> Diagnosis {
    let why = trimmed(why);
    if why.contains("exceeded quota") {
        return Diagnosis::new(
            format!("The quota of its namespace is used up: {why}."),
            "Deactivate another project, ask for less with `/project update --cpu --memory`, or have the quota raised.",
        );
    }
    if why.contains("violates PodSecurity") {
        return Diagnosis::new(
            format!("The Pod Security rules of its namespace refuse its pod: {why}."),
            "Use an image that runs without privileges, or have `[kubernetes] pod_security` changed.",
        );
    }
    if why.contains("must be less than or equal to") || why.contains("maximum") || why.contains("minimum") {
        return Diagnosis::new(
            format!("The limits of its namespace refuse its pod: {why}."),
            "Choose other values with `/project update --cpu --memory`.",
        );
    }
    Diagnosis::new(format!("The cluster refuses to make its pod: {why}."), "Whoever runs the cluster can tell what is allowed.")
}

fn image(container: &ContainerSeen, message: &str) -> Diagnosis {
    let why = match message.trim() {
        "" => String::new(),
        text => format!(": {}", trimmed(text)),
    };
    Diagnosis::new(
        format!("The image `{}` cannot be pulled{why}.", container.image),
        "Check its name and tag (`/project update --image`), and whether the cluster may pull it (`[kubernetes] pull_secrets`).",
    )
}

fn container(seen: &ContainerSeen, name: &'static str, probe: bool) -> Option<Diagnosis> {
    let whose = if name == super::seen::CLONE { "the clone of its repository" } else { "its agent" };
    match &seen.state {
        State::Waiting { reason, message } => match reason.as_str() {
            "ImagePullBackOff" => Some(image(seen, message)),
            "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => Some(image(seen, &format!("{reason}: {message}"))),
            // The node has not been told of everything yet, and asks again.
            "CreateContainerConfigError" | "CreateContainerError" if message.contains("timed out") => None,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                let program = reason != "CreateContainerConfigError"
                    && (message.contains("no such file")
                        || message.contains("not found")
                        || message.contains("permission denied"));
                Some(Diagnosis::new(
                    format!("The container of {whose} cannot be started: {}.", trimmed(message)),
                    if program {
                        "Check the image's program and `[kubernetes] command` and `args`."
                    } else {
                        "Mend what it names, then activate it again."
                    },
                ))
            }
            "CrashLoopBackOff" => {
                // Something was waited for: the end is what counts, also the very first one.
                let ended = seen.last.as_ref()?;
                (seen.restarts >= RESTARTS
                    || ended.reason == "OOMKilled"
                    || ended.code == 126
                    || ended.code == 127
                    || name == super::seen::CLONE)
                    .then(|| crashed(ended, whose, name, probe, true))
            }
            _ => None,
        },
        State::Ended(ended) if ended.code != 0 && (seen.restarts >= RESTARTS || ended.reason == "OOMKilled") => {
            Some(crashed(ended, whose, name, probe, false))
        }
        State::Running | State::Ended(_) => None,
    }
}

fn crashed(ended: &Ended, whose: &str, name: &'static str, probe: bool, previous: bool) -> Diagnosis {
    if ended.reason == "OOMKilled" {
        return Diagnosis::new(
            format!("It was killed since {whose} took more memory than its limit (exit code {}).", ended.code),
            "Give it more with `/project update --memory`, then activate it again.",
        );
    }
    let how = match (ended.reason.as_str(), ended.signal) {
        ("ContainerCannotRun" | "StartError", _) => "cannot be started".to_owned(),
        (_, Some(signal)) if signal > 0 => format!("is ended again and again by signal {signal}"),
        _ => format!("ends again and again (exit code {})", ended.code),
    };
    let why = ended.message.as_deref().map(|m| format!(": {}", trimmed(m))).unwrap_or_default();
    if name == super::seen::CLONE {
        return Diagnosis::new(
            format!("The repository cannot be cloned (exit code {}){why}.", ended.code),
            "If it is not public, store a token with `/project secret set NAME GIT_TOKEN` (https) or a key as GIT_SSH_KEY (ssh).",
        )
        .words(name, previous);
    }
    // A probe that fails has its container killed; one that ends by itself only makes the probe fail.
    let next = if probe && matches!(ended.code, 137 | 143) {
        "It was restarted because it did not answer on its port: check the image and the project's port."
    } else {
        "Check the image, `[kubernetes] args` and the project's variables; its last lines tell more."
    };
    Diagnosis::new(format!("Its agent {how}{why}."), next).words(name, previous)
}

pub fn evicted(pod: &PodSeen) -> Diagnosis {
    let why = pod.message.as_deref().map(|m| format!(": {}", trimmed(m))).unwrap_or_default();
    Diagnosis::new(
        format!("Its node put its pod out{why}."),
        "Ask for the memory and disk that it needs (`/project update`), so that the cluster finds it a place.",
    )
}

fn claim_trouble(seen: &Seen, why: &str) -> Option<Diagnosis> {
    let claim =
        why.contains("PersistentVolumeClaim") || why.contains("persistentvolumeclaim") || why.contains("persistent volumes");
    if !claim {
        return None;
    }
    let more = warning(seen, &["ProvisioningFailed", "FailedBinding"]).unwrap_or_else(|| why.to_owned());
    Some(Diagnosis::new(
        format!("Its disk is still pending: {}.", trimmed(&more)),
        "Check `[kubernetes] storage` (its class has to exist and to have room), or make the project without `--disk`.",
    ))
}

fn probe_failure(seen: &Seen, pod: &PodSeen) -> Option<String> {
    let of_pod = seen.events.iter().rev().filter(|e| e.object == pod.name);
    of_pod.filter(|e| e.warning).find(|e| e.reason == "Unhealthy").map(|e| e.message.clone())
}

fn warning(seen: &Seen, reasons: &[&str]) -> Option<String> {
    seen.events.iter().rev().find(|e| e.warning && reasons.contains(&e.reason.as_str())).map(|e| e.message.clone())
}

/// As a part of a sentence; the cluster's words can be very long.
fn trimmed(text: &str) -> String {
    const LONGEST: usize = 1_500;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches(['.', ' ']);
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
