//! Commands in a container. No shell: the words are handed over as they are.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::api::{Api, AttachParams};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{mpsc, oneshot};

use super::api::Cluster;
use super::secrets::Secrets;
use super::seen::{AGENT, PodSeen};
use super::trouble::{Trouble, retried};
use crate::error::{Error, Result};
use crate::runtime::Execution;

pub async fn run(cluster: &Cluster, pod: &PodSeen, command: Vec<String>, secrets: Secrets) -> Result<Execution, Trouble> {
    run_in(&cluster.clients.streams, pod, AGENT, command, secrets).await
}

/// `client` lets streams be silent.
pub async fn run_in(
    client: &Client,
    pod: &PodSeen,
    container: &str,
    command: Vec<String>,
    secrets: Secrets,
) -> Result<Execution, Trouble> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace);
    let how = AttachParams::default().container(container).stdin(false).stdout(true).stderr(true).tty(false);
    // Opening the stream is what may be tried again; once it is open, the command has begun.
    let mut process = retried(|| api.exec(&pod.name, command.clone(), &how)).await?;
    let (out, output) = mpsc::channel(64);
    let (ended, code) = oneshot::channel();
    let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
    let program = command.first().cloned().unwrap_or_default();
    tokio::spawn(async move {
        let secrets = &secrets;
        let all = async {
            tokio::join!(copy(stdout, &out, secrets), copy(stderr, &out, secrets));
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let status = tokio::select! {
            () = out.closed() => None,
            status = all => status,
        };
        let outcome = match status {
            Some(status) if status.status.as_deref() == Some("Success") => Ok(0),
            Some(status) => match exit_code(&status) {
                Some(code) => Ok(code),
                None => Err(not_run(&program, &status)),
            },
            None => Err(Error::Failed(
                "The connection to the pod ended before the command did; whether it ran to its end is not known. Look at its traces, then \
                 run it again."
                    .into(),
            )),
        };
        let _ = ended.send(outcome);
        drop(process);
    });
    Ok(Execution { output, code })
}

fn exit_code(status: &Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|c| c.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

fn not_run(program: &str, status: &Status) -> Error {
    let why = status.message.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    if why.contains("no such file") || why.contains("not found in $PATH") {
        return Error::Failed(format!(
            "There is no program `{program}` in the container. There is no shell around the command either: `sh -c '…'` runs one, if the \
             image has it."
        ));
    }
    Error::Failed(format!("The command could not be run: {}. Try again.", why.trim_end_matches('.')))
}

/// Line by line, since a secret may stand across two pieces.
async fn copy(from: Option<impl AsyncRead + Unpin>, to: &mpsc::Sender<Vec<u8>>, secrets: &Secrets) {
    /// A line longer than this is handed on in pieces.
    const LINE: usize = 64 * 1024;
    let Some(mut from) = from else { return };
    let (mut held, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let length = from.read(&mut piece).await.unwrap_or(0);
        held.extend_from_slice(&piece[..length]);
        let upto = match held.iter().rposition(|b| *b == b'\n') {
            _ if length == 0 => held.len(),
            Some(at) => at + 1,
            None if held.len() >= LINE => held.len(),
            None => 0,
        };
        if upto > 0 {
            let rest = held.split_off(upto);
            let text = secrets.redact(&String::from_utf8_lossy(&held));
            held = rest;
            if to.send(text.into_bytes()).await.is_err() {
                return;
            }
        }
        if length == 0 {
            return;
        }
    }
}
