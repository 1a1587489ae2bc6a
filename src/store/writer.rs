//! The one writer: a thread that puts whatever waits into one transaction, so that many durable writes cost one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redb::{Database, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// Jobs that may wait; further writers wait for room.
const WAITING: usize = 1024;
/// Jobs in one transaction.
const BATCH: usize = 512;

/// How long a job without haste may wait for others.
const LINGER: Duration = Duration::from_secs(1);

/// Tells a job's caller how the commit went.
type Tell = Box<dyn FnOnce(Option<&Arc<redb::Error>>) + Send>;
type Job = Box<dyn FnOnce(&WriteTransaction) -> Outcome + Send>;

enum Outcome {
    /// Committed with the batch.
    Keep(Tell),
    /// The store itself failed: nothing of the batch may be kept.
    Abort(Tell),
}

pub struct Writer {
    jobs: mpsc::Sender<Job>,
    /// Jobs without haste: they go with the next that has it, or soon by themselves.
    lazy: Arc<Mutex<Vec<Job>>>,
}

impl Writer {
    pub fn start(db: Arc<Database>) -> std::io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        let lazy = Arc::<Mutex<Vec<Job>>>::default();
        let lingering = lazy.clone();
        std::thread::Builder::new().name("store".into()).stack_size(1024 * 1024).spawn(move || {
            while let Some(first) = waiting.blocking_recv() {
                // Those that were handed over before go before.
                let mut batch = std::mem::take(&mut *lingering.lock().unwrap_or_else(PoisonError::into_inner));
                batch.push(first);
                while batch.len() < BATCH {
                    match waiting.try_recv() {
                        Ok(job) => batch.push(job),
                        Err(_) => break,
                    }
                }
                commit(&db, batch);
            }
        })?;
        Ok(Self { jobs, lazy })
    }

    /// Runs a job that nobody waits for, in company if there is some.
    pub async fn run_lazily(&self, job: impl FnOnce(&WriteTransaction) -> Result<()> + Send + 'static) -> Result<()> {
        let mut job: Option<Job> = Some(Box::new(move |tx| {
            let result = catch_unwind(AssertUnwindSafe(|| job(tx)))
                .unwrap_or_else(|_| Err(Error::Broken(anyhow::anyhow!("a write to the store panicked"))));
            match result {
                Ok(()) => Outcome::Keep(Box::new(|_| {})),
                Err(error) => {
                    let _ = error.told();
                    Outcome::Keep(Box::new(|_| {}))
                }
            }
        }));
        let first = {
            let mut lazy = self.lazy.lock().unwrap_or_else(PoisonError::into_inner);
            if lazy.len() < BATCH {
                lazy.extend(job.take());
            }
            lazy.len() == 1
        };
        match job {
            None if !first => Ok(()),
            None => {
                let jobs = self.jobs.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(LINGER).await;
                    let _ = jobs.send(Box::new(|_| Outcome::Keep(Box::new(|_| {})))).await;
                });
                Ok(())
            }
            Some(job) => self.jobs.send(job).await.map_err(|_| Error::Broken(anyhow::anyhow!("the store's writer has ended"))),
        }
    }

    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce(&WriteTransaction) -> Result<T> + Send + 'static) -> Result<T> {
        let (answer, told) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = catch_unwind(AssertUnwindSafe(|| job(tx)))
                .unwrap_or_else(|_| Err(Error::Broken(anyhow::anyhow!("a write to the store panicked"))));
            let abort = matches!(result, Err(Error::Broken(_)));
            let tell: Tell = Box::new(move |failure| {
                let result = match failure {
                    Some(e) if result.is_ok() => Err(Error::Broken(anyhow::Error::new(e.clone()))),
                    _ => result,
                };
                let _ = answer.send(result);
            });
            if abort { Outcome::Abort(tell) } else { Outcome::Keep(tell) }
        });
        let ended = || Error::Broken(anyhow::anyhow!("the store's writer has ended"));
        self.jobs.send(job).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }
}

fn commit(db: &Database, batch: Vec<Job>) {
    let mut tells = Vec::with_capacity(batch.len());
    let result = (|| {
        let tx = db.begin_write().map_err(redb::Error::from)?;
        for job in batch {
            match job(&tx) {
                Outcome::Keep(tell) => tells.push(tell),
                Outcome::Abort(tell) => {
                    tells.push(tell);
                    tx.abort().map_err(redb::Error::from)?;
                    return Err(redb::Error::Io(std::io::Error::other("another write of the same batch failed")));
                }
            }
        }
        tx.commit().map_err(redb::Error::from)
    })();
    let failure = result.err().map(Arc::new);
    if let Some(error) = &failure {
        tracing::error!(%error, "the store could not commit");
    }
    for tell in tells {
        tell(failure.as_ref());
    }
}
