//! A private socket in the data folder, by which `gaggle backup` reaches the program that has the store open. Only the folder's
//! owner can reach it. One JSON line each way.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

const SOCKET: &str = "control.sock";
/// A longer request is none of ours.
const MAX_REQUEST: u64 = 16 * 1024;
/// A client that says nothing is left.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    Backup { to: PathBuf },
}

#[derive(Debug, Serialize, Deserialize)]
struct Response {
    ok: bool,
    text: String,
}

/// The socket, while the program runs.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    _folder: std::fs::File,
}

impl Control {
    /// `None` where such a socket is not possible: a backup then needs the program stopped.
    pub fn open(dir: &Path) -> Option<Self> {
        let path = dir.join(SOCKET);
        // The store's lock is ours, so a socket that lies here is a dead program's.
        let _ = std::fs::remove_file(&path);
        let bound = short(dir).and_then(|(folder, short)| Ok((folder, UnixListener::bind(short)?)));
        match bound {
            Ok((folder, listener)) => Some(Self { listener, path, _folder: folder }),
            Err(error) => {
                tracing::warn!(%error, "no control socket: `gaggle backup` works only while gaggle is stopped");
                None
            }
        }
    }

    pub async fn run(self, store: Store, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                client = self.listener.accept() => match client {
                    // One after another: two backups at once would only slow each other down.
                    Ok((stream, _)) => {
                        let answered = serve(stream, &store).await;
                        if let Err(error) = answered {
                            tracing::info!(%error, "a control request failed");
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the control socket failed");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(stream: UnixStream, store: &Store) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    tokio::time::timeout(PATIENCE, BufReader::new(read.take(MAX_REQUEST)).read_line(&mut line)).await??;
    let response = match serde_json::from_str(&line) {
        Ok(Request::Backup { to }) => match store.backup(to).await {
            Ok(bytes) => Response { ok: true, text: bytes.to_string() },
            Err(error) => Response { ok: false, text: error.told().to_string() },
        },
        Err(_) => Response { ok: false, text: "The running gaggle does not know this request: use the same version.".into() },
    };
    let mut bytes = serde_json::to_vec(&response)?;
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    Ok(())
}

/// Asks the program that has the store open for a backup. `Ok(None)`: none is running.
pub async fn backup(dir: &Path, to: &Path) -> anyhow::Result<Option<Result<u64, String>>> {
    let Ok((_folder, path)) = short(dir) else { return Ok(None) };
    let Ok(mut stream) = UnixStream::connect(path).await else { return Ok(None) };
    let mut bytes = serde_json::to_vec(&Request::Backup { to: to.to_owned() })?;
    bytes.push(b'\n');
    stream.write_all(&bytes).await?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await?;
    let response: Response = serde_json::from_str(&line).context("the running gaggle gave no answer")?;
    Ok(Some(match response.ok {
        true => Ok(response.text.parse().unwrap_or_default()),
        false => Err(response.text),
    }))
}

/// A socket's path holds about 100 bytes; an open folder gives a short name to any folder on Linux.
fn short(dir: &Path) -> std::io::Result<(std::fs::File, PathBuf)> {
    let folder = std::fs::File::open(dir)?;
    let plain = dir.join(SOCKET);
    if plain.as_os_str().len() < 100 || !cfg!(target_os = "linux") {
        return Ok((folder, plain));
    }
    let number = std::os::fd::AsRawFd::as_raw_fd(&folder);
    Ok((folder, PathBuf::from(format!("/proc/self/fd/{number}/{SOCKET}"))))
}
