//! Why an agent or a service does not come up, in words, from what the cluster shows. Pure.
//!
//! Invariant: only what will not mend itself is [`hopeless`]; everything else gets its time until the deadline.

use super::seen::{CLONE, ContainerSeen, Ended, PodSeen, Seen, State, Subject};

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
    pub words_of: Option<(String, bool)>,
}

impl Diagnosis {
    fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), next: next.into(), words_of: None }
    }

    fn words(mut self, container: &str, previous: bool) -> Self {
        self.words_of = Some((container.to_owned(), previous));
        self
    }

    pub fn sentence(&self) -> String {
        format!("{} {}", self.what, self.next)
    }
}

/// What will not mend itself, as soon as it shows.
pub fn hopeless(seen: &Seen) -> Option<Diagnosis> {
    let refusal = seen.deployment.as_ref().and_then(|d| d.replica_failure.as_deref());
    if let Some(why) = refusal.or(seen.refusal.as_deref()) {
        return Some(refused(why, seen.subject));
    }
    let pod = seen.pod()?;
    pod.clone.as_ref().and_then(|c| container(c, seen.subject, CLONE, false)).or_else(|| {
        let agent = pod.agent.as_ref()?;
        let probe = probe_failure(seen, pod).is_some();
        container(agent, seen.subject, &pod.main, probe)
    })
}

/// What most likely kept it from becoming ready, when its time is over.
pub fn at_deadline(seen: &Seen, waited: &str) -> Diagnosis {
    if let Some(known) = hopeless(seen) {
        return known;
    }
    let Some(pod) = seen.pod() else {
        if let Some(event) = warning(seen, &["FailedCreate"]) {
            return refused(&event, seen.subject);
        }
        return Diagnosis::new(
            format!("After {waited} the cluster has not made its pod."),
            "Whoever runs the cluster finds out why: its controllers may be down.",
        );
    };
    if pod.reason.as_deref() == Some("Evicted") {
        return evicted(pod, seen.subject);
    }
    if let Some(why) = &pod.unschedulable {
        if let Some(claim) = claim_trouble(seen, why) {
            return claim;
        }
        return Diagnosis::new(
            format!("After {waited} no node of the cluster can take its pod: {}.", trimmed(why)),
            seen.subject.pick(
                "Ask for less with `/project update --cpu --memory`, make room by deactivating another project, or have a node added.",
                "Ask for less in `deploy.resources`, mend its placement, make room, or have a node added.",
            ),
        );
    }
    if let Some(why) = warning(seen, &["FailedMount", "FailedAttachVolume"]) {
        return Diagnosis::new(
            format!("After {waited} its disk cannot be mounted: {}.", trimmed(&why)),
            seen.subject.pick(
                "Whoever runs the cluster can mend its storage; then activate it again.",
                "Whoever runs the cluster can mend its storage; then deploy it again.",
            ),
        );
    }
    if let Some(node) = &pod.node
        && warning(seen, &["NodeNotReady", "TaintManagerEviction"]).is_some()
    {
        return Diagnosis::new(
            format!("The node {node}, which was to run it, no longer answers."),
            seen.subject.pick(
                "Activate it again: the cluster then chooses another node.",
                "Deploy it again: the cluster then chooses another node.",
            ),
        );
    }
    for part in [&pod.clone, &pod.agent].into_iter().flatten() {
        if let State::Waiting { reason, message } = &part.state {
            let why = if message.is_empty() { reason.clone() } else { format!("{reason}: {}", trimmed(message)) };
            match reason.as_str() {
                "ErrImagePull" | "ImagePullBackOff" => return image(part, message, seen.subject),
                "CrashLoopBackOff" => {
                    if let Some(ended) = &part.last {
                        return crashed(ended, seen.subject, &pod.main, probe_failure(seen, pod).is_some(), true);
                    }
                }
                "ContainerCreating" | "PodInitializing" | "" => {
                    let told =
                        warning(seen, &["Failed", "FailedCreatePodSandBox", "BackOff"]).map(|w| format!(": {}", trimmed(&w)));
                    return Diagnosis::new(
                        format!("After {waited} its container is still being made{}.", told.unwrap_or_default()),
                        seen.subject.pick(
                            "A large image may need longer the first time: activate it again. If it stays, whoever runs the cluster looks at the node.",
                            "A large image may need longer the first time: deploy it again. If it stays, whoever runs the cluster looks at the node.",
                        ),
                    );
                }
                _ => {
                    return Diagnosis::new(
                        format!("After {waited} its container does not start: {why}."),
                        seen.subject.pick("Mend that, then activate it again.", "Mend that, then deploy it again."),
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
        .words(CLONE, false);
    }
    if let Some(why) = probe_failure(seen, pod) {
        return unhealthy(&why, waited, seen.subject, &pod.main);
    }
    let why = pod.not_ready.as_deref().map(|w| format!(" ({})", trimmed(w))).unwrap_or_default();
    Diagnosis::new(
        format!("After {waited} its container runs but does not become ready{why}."),
        seen.subject.pick(
            "Check that its image speaks on the project's port (`/project update --port`), and look at the last lines of its log.",
            "Check its health check, and look at the last lines of its log.",
        ),
    )
    .words(&pod.main, false)
}

fn unhealthy(why: &str, waited: &str, of: Subject, main: &str) -> Diagnosis {
    let how = of.pick("its agent runs but does not answer on its port", "its container runs, but its health check fails");
    Diagnosis::new(
        format!("After {waited} {how}: {}.", trimmed(why)),
        of.pick(
            "Check that its image speaks on the project's port (`/project update --port`) and takes the configured arguments.",
            "Check its `healthcheck` (or `--health-path`), and look at the last lines of its log.",
        ),
    )
    .words(main, false)
}

fn refused(why: &str, of: Subject) -> Diagnosis {
    let why = trimmed(why);
    if why.contains("exceeded quota") {
        return Diagnosis::new(
            format!("The quota of its namespace is used up: {why}."),
            of.pick(
                "Deactivate another project, ask for less with `/project update --cpu --memory`, or have the quota raised.",
                "Remove what is no longer needed there, ask for less in `deploy.resources`, or have the quota raised.",
            ),
        );
    }
    if why.contains("violates PodSecurity") {
        return Diagnosis::new(
            format!("The Pod Security rules of its namespace refuse its pod: {why}."),
            of.pick(
                "Use an image that runs without privileges, or have `[kubernetes] pod_security` changed.",
                "Take away what asks for privileges, or deploy it into a namespace that allows them.",
            ),
        );
    }
    if why.contains("must be less than or equal to") || why.contains("maximum") || why.contains("minimum") {
        return Diagnosis::new(
            format!("The limits of its namespace refuse its pod: {why}."),
            of.pick("Choose other values with `/project update --cpu --memory`.", "Choose other values in `deploy.resources`."),
        );
    }
    Diagnosis::new(format!("The cluster refuses to make its pod: {why}."), "Whoever runs the cluster can tell what is allowed.")
}

fn image(container: &ContainerSeen, message: &str, of: Subject) -> Diagnosis {
    let why = match message.trim() {
        "" => String::new(),
        text => format!(": {}", trimmed(text)),
    };
    Diagnosis::new(
        format!("The image `{}` cannot be pulled{why}.", container.image),
        of.pick(
            "Check its name and tag (`/project update --image`), and whether the cluster may pull it (`[kubernetes] pull_secrets`).",
            "Check its name and tag, and whether the cluster may pull it.",
        ),
    )
}

fn container(seen: &ContainerSeen, of: Subject, name: &str, probe: bool) -> Option<Diagnosis> {
    let whose = whose(of, name);
    match &seen.state {
        State::Waiting { reason, message } => match reason.as_str() {
            "ImagePullBackOff" => Some(image(seen, message, of)),
            "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
                Some(image(seen, &format!("{reason}: {message}"), of))
            }
            // The node has not been told of everything yet, and asks again.
            "CreateContainerConfigError" | "CreateContainerError" if message.contains("timed out") => None,
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                let program = reason != "CreateContainerConfigError"
                    && (message.contains("no such file")
                        || message.contains("not found")
                        || message.contains("permission denied"));
                Some(Diagnosis::new(
                    match of {
                        Subject::Project => format!("The container of {whose} cannot be started: {}.", trimmed(message)),
                        Subject::Service => format!("Its container cannot be started: {}.", trimmed(message)),
                    },
                    match program {
                        true => of.pick(
                            "Check the image's program and `[kubernetes] command` and `args`.",
                            "Check the image's program, `entrypoint` and `command`.",
                        ),
                        false => {
                            of.pick("Mend what it names, then activate it again.", "Mend what it names, then deploy it again.")
                        }
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
                    || is_clone(of, name))
                .then(|| crashed(ended, of, name, probe, true))
            }
            _ => None,
        },
        State::Ended(ended) if ended.code != 0 && (seen.restarts >= RESTARTS || ended.reason == "OOMKilled") => {
            Some(crashed(ended, of, name, probe, false))
        }
        State::Running | State::Ended(_) => None,
    }
}

fn is_clone(of: Subject, name: &str) -> bool {
    of == Subject::Project && name == CLONE
}

fn whose(of: Subject, name: &str) -> &'static str {
    match of {
        Subject::Project if name == CLONE => "the clone of its repository",
        Subject::Project => "its agent",
        Subject::Service => "its container",
    }
}

fn crashed(ended: &Ended, of: Subject, name: &str, probe: bool, previous: bool) -> Diagnosis {
    let whose = whose(of, name);
    if ended.reason == "OOMKilled" {
        return Diagnosis::new(
            format!("It was killed since {whose} took more memory than its limit (exit code {}).", ended.code),
            of.pick(
                "Give it more with `/project update --memory`, then activate it again.",
                "Give it more in `deploy.resources.limits.memory`, then deploy it again.",
            ),
        );
    }
    let how = match (ended.reason.as_str(), ended.signal) {
        ("ContainerCannotRun" | "StartError", _) => "cannot be started".to_owned(),
        (_, Some(signal)) if signal > 0 => format!("is ended again and again by signal {signal}"),
        _ => format!("ends again and again (exit code {})", ended.code),
    };
    let why = ended.message.as_deref().map(|m| format!(": {}", trimmed(m))).unwrap_or_default();
    if is_clone(of, name) {
        return Diagnosis::new(
            format!("The repository cannot be cloned (exit code {}){why}.", ended.code),
            "If it is not public, store a token with `/project secret set NAME GIT_TOKEN` (https) or a key as GIT_SSH_KEY (ssh).",
        )
        .words(name, previous);
    }
    // A probe that fails has its container killed; one that ends by itself only makes the probe fail.
    let next = if probe && matches!(ended.code, 137 | 143) {
        of.pick(
            "It was restarted because it did not answer on its port: check the image and the project's port.",
            "It was restarted because its health check failed: check that.",
        )
    } else {
        of.pick(
            "Check the image, `[kubernetes] args` and the project's variables; its last lines tell more.",
            "Check its image, `command` and variables; its last lines tell more.",
        )
    };
    let who = of.pick("Its agent", "Its container");
    Diagnosis::new(format!("{who} {how}{why}."), next).words(name, previous)
}

pub fn evicted(pod: &PodSeen, of: Subject) -> Diagnosis {
    let why = pod.message.as_deref().map(|m| format!(": {}", trimmed(m))).unwrap_or_default();
    Diagnosis::new(
        format!("Its node put its pod out{why}."),
        of.pick(
            "Ask for the memory and disk that it needs (`/project update`), so that the cluster finds it a place.",
            "Ask for the memory and disk that it needs in `deploy.resources`, so that the cluster finds it a place.",
        ),
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
        seen.subject.pick(
            "Check `[kubernetes] storage` (its class has to exist and to have room), or make the project without `--disk`.",
            "Check that the cluster has a StorageClass for it, with room.",
        ),
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
