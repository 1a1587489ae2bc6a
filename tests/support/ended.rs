//! The end of a program that a test started, with all that it wrote.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Waits for the end of `child` and of those who read what it writes; `log` is what is shown if that does not come.
pub async fn ended(
    child: Option<Child>,
    readers: Vec<JoinHandle<()>>,
    patience: Duration,
    log: impl FnOnce() -> String,
) -> ExitStatus {
    let mut child = child.expect("a running program");
    let Ok(status) = timeout(patience, child.wait()).await else {
        panic!("the program does not end\n{}", log());
    };
    for reader in readers {
        assert!(timeout(patience, reader).await.is_ok(), "somebody else holds the program's output open");
    }
    status.expect("a status")
}
