//! What goes wrong between Gaggle and the API server: told apart, tried again within bounds, and put into one sentence.
//!
//! Invariant: a request is tried again only where that can help, and never for longer than [`BUDGET`]. No sentence holds a
//! credential: the server's own words are quoted only where they are about objects.

use std::time::Duration;

use kube::core::Status;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::Error;

/// All tries of one request together.
const BUDGET: Duration = Duration::from_secs(20);
/// One try.
const TRY: Duration = Duration::from_secs(8);
/// The longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(5);

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody answers.
    Away(String),
    /// It took too long.
    Slow,
    /// The server is there and asks to come later: 429, 500, 503, 504.
    Busy(u16),
    /// Our credentials are no longer good.
    Unauthorized,
    /// The cluster's rules do not let us; the server's words.
    Forbidden(String),
    Quota(String),
    /// An admission rule; the server's words.
    Denied(String),
    /// The namespace is being ended.
    Terminating(String),
    Conflict(String),
    NotFound(String),
    Invalid(String),
    Other(String),
}

impl Trouble {
    /// Whether it may be over a little later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Slow | Self::Busy(_) | Self::Conflict(_))
    }

    /// What happened, what it means, what to do: for the reply. `doing` is `preparing the project `demo``.
    pub fn told(&self, doing: &str) -> Error {
        Error::Failed(match self {
            Self::Away(why) => format!(
                "The Kubernetes API server does not answer ({why}), so {doing} did not succeed. What runs there runs on; try again when \
                 the cluster is back, or ask whoever runs it."
            ),
            Self::Slow => format!(
                "The Kubernetes API server took too long to answer, so {doing} did not succeed. Try again in a minute; if it stays, ask \
                 whoever runs the cluster."
            ),
            Self::Busy(code) => format!(
                "The Kubernetes API server is overloaded (HTTP {code}), so {doing} did not succeed. Try again in a minute."
            ),
            Self::Unauthorized => format!(
                "The cluster no longer accepts Gaggle's credentials (expired or revoked), so {doing} did not succeed. Whoever runs Gaggle \
                 has to renew them; `gaggle check` tells where they come from."
            ),
            Self::Forbidden(what) => format!(
                "Gaggle may not do that in the cluster: {what}. So {doing} did not succeed; whoever runs Gaggle finds the missing rule \
                 with `gaggle check`."
            ),
            Self::Quota(what) => format!(
                "A quota of the cluster is used up: {what}. So {doing} did not succeed. Deactivate or delete another project, ask for less \
                 with `/project update`, or have the quota raised."
            ),
            Self::Denied(what) => format!(
                "A rule of the cluster refused it: {what}. So {doing} did not succeed; whoever runs the cluster can tell what is allowed."
            ),
            Self::Terminating(namespace) => format!(
                "The namespace `{namespace}` is being ended in the cluster, so {doing} did not succeed. Try again when it is gone, usually \
                 within a minute."
            ),
            Self::Conflict(what) => format!(
                "Somebody else changed the same objects at the same moment ({what}), so {doing} did not succeed. Try again."
            ),
            Self::NotFound(what) => {
                format!(
                    "It is not in the cluster: {what}. So {doing} did not succeed; `/project activate` makes what is missing."
                )
            }
            Self::Invalid(what) => format!(
                "The cluster does not take it: {what}. So {doing} did not succeed; change the setting with `/project update`, or have \
                 `[kubernetes]` of Gaggle's configuration mended."
            ),
            Self::Other(what) => format!(
                "The cluster answered in a way that Gaggle does not know ({what}), so {doing} did not succeed. Try again."
            ),
        })
    }

    /// For a table and for the log.
    pub fn short(&self) -> String {
        match self {
            Self::Away(why) => format!("the API server does not answer ({why})"),
            Self::Slow => "the API server takes too long to answer".into(),
            Self::Busy(code) => format!("the API server is overloaded (HTTP {code})"),
            Self::Unauthorized => "the credentials are not accepted".into(),
            Self::Terminating(namespace) => format!("the namespace {namespace} is being ended"),
            Self::Forbidden(what)
            | Self::Quota(what)
            | Self::Denied(what)
            | Self::Conflict(what)
            | Self::NotFound(what)
            | Self::Invalid(what)
            | Self::Other(what) => what.clone(),
        }
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => of_status(&status),
            kube::Error::Auth(_) => Self::Unauthorized,
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Self::Other("its answer cannot be read".into()),
            kube::Error::HyperError(error) => Self::Away(cause(&error)),
            // A plugin failed that gets the credentials; the error would quote what it printed.
            kube::Error::Service(error) if error.is::<kube::client::AuthError>() => Self::Unauthorized,
            kube::Error::Service(error) => Self::Away(cause(&*error)),
            kube::Error::UpgradeConnection(error) => {
                use kube::client::UpgradeConnectionError as U;
                match error {
                    U::ProtocolSwitch(code) if code.as_u16() == 401 => Self::Unauthorized,
                    U::ProtocolSwitch(code) if code.as_u16() == 403 => Self::Forbidden("it may not open streams to pods".into()),
                    U::ProtocolSwitch(code) if code.as_u16() == 404 => Self::NotFound("the pod".into()),
                    U::ProtocolSwitch(code) => Self::Busy(code.as_u16()),
                    other => Self::Other(other.to_string()),
                }
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// The innermost reason, which is the one that says something: `Connection refused`.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

pub fn of_status(status: &Status) -> Trouble {
    let message = sentence(&status.message);
    let causes = status.details.iter().flat_map(|d| &d.causes);
    if causes.clone().any(|c| c.reason == "NamespaceTerminating") || message.contains("because it is being terminated") {
        let namespace = message.split("namespace ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
        return Trouble::Terminating(namespace.trim_matches(['"', ',', '.']).to_owned());
    }
    match status.code {
        401 => Trouble::Unauthorized,
        403 if message.contains("exceeded quota") => Trouble::Quota(message),
        403 if message.contains("cannot ") => Trouble::Forbidden(message),
        403 => Trouble::Denied(message),
        400 if message.contains("denied the request") => Trouble::Denied(message),
        404 => Trouble::NotFound(message),
        409 => Trouble::Conflict(message),
        400 | 405 | 415 | 422 => Trouble::Invalid(message),
        429 | 500 | 502 | 503 | 504 => Trouble::Busy(status.code),
        code => Trouble::Other(format!("HTTP {code}: {message}")),
    }
}

/// The server's words as a part of a sentence.
fn sentence(message: &str) -> String {
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.trim_end_matches('.').to_owned()
}

/// Sends a request until it succeeds, cannot succeed, or the budget is used up.
pub async fn retried<T, F>(mut send: impl FnMut() -> F) -> Result<T, Trouble>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let end = Instant::now() + BUDGET;
    let mut pause = Duration::from_millis(100);
    loop {
        let (trouble, asked) = match timeout_at(end.min(Instant::now() + TRY), send()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => {
                let asked = retry_after(&error);
                (Trouble::from(error), asked)
            }
            Err(_) => (Trouble::Slow, None),
        };
        let wait = asked.unwrap_or_else(|| jittered(pause)).min(LONGEST);
        if !trouble.passes() || Instant::now() + wait >= end {
            return Err(trouble);
        }
        tracing::debug!(trouble = trouble.short(), ?wait, "a request to the cluster is tried again");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST);
    }
}

fn retry_after(error: &kube::Error) -> Option<Duration> {
    let kube::Error::Api(status) = error else { return None };
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

/// Between half of it and all of it, so that those who failed together do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause.mul_f64(f64::from(byte[0]) / 512.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status { code, message: message.to_owned(), ..Status::default() }
    }

    #[test]
    fn statuses_are_told_apart() {
        let quota = r#"pods "x" is forbidden: exceeded quota: gaggle, requested: pods=1, used: pods=2, limited: pods=2"#;
        assert!(matches!(of_status(&status(403, quota)), Trouble::Quota(_)));
        let rbac = r#"deployments.apps "x" is forbidden: User "u" cannot patch resource "deployments""#;
        assert!(matches!(of_status(&status(403, rbac)), Trouble::Forbidden(_)));
        let ending =
            "secrets \"x\" is forbidden: unable to create new content in namespace user-a because it is being terminated";
        assert_eq!(of_status(&status(403, ending)), Trouble::Terminating("user-a".into()));
        assert_eq!(of_status(&status(504, "")), Trouble::Busy(504));
        assert!(matches!(of_status(&status(422, "bad")), Trouble::Invalid(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_within_the_budget_and_what_does_not_is_not() {
        let tries = Cell::new(0);
        let begun = Instant::now();
        let outcome: Result<(), _> = retried(|| {
            tries.set(tries.get() + 1);
            async { Err(kube::Error::Api(status(503, "").boxed())) }
        })
        .await;
        assert_eq!(outcome, Err(Trouble::Busy(503)));
        assert!(tries.get() > 3 && begun.elapsed() <= BUDGET, "{} {:?}", tries.get(), begun.elapsed());
        tries.set(0);
        let outcome: Result<(), _> = retried(|| {
            tries.set(tries.get() + 1);
            async { Err(kube::Error::Api(status(422, "no").boxed())) }
        })
        .await;
        assert_eq!((outcome, tries.get()), (Err(Trouble::Invalid("no".into())), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_slow() {
        let begun = Instant::now();
        let outcome: Result<(), Trouble> = retried(std::future::pending::<Result<(), kube::Error>>).await;
        assert_eq!(outcome, Err(Trouble::Slow));
        assert!(begun.elapsed() <= BUDGET);
    }
}
