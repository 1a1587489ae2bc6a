//! Idle stop: a project whose agent did nothing for long enough is deactivated, and its last thread is told.
//!
//! Invariants: nothing that runs or waits is cut off. A message that comes while its project is being stopped is either seen in
//! time, or finds the project stopped and starts it again. Nothing can become due sooner than `after` from now, so that a look
//! at the store tells when the next one is needed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::Work;
use super::life::Kind;
use crate::error::{Error, Result};
use crate::model::{Progress, Project, ProjectId, Status, Timestamp};

/// Projects that are stopped at once.
const AT_ONCE: usize = 16;

/// Work beside turns and life-cycle runs, by project.
#[derive(Default)]
pub struct Held(Mutex<HashMap<ProjectId, usize>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this is there, its project is not idle.
pub struct Hold {
    work: Work,
    project: ProjectId,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let (work, project) = (self.work.clone(), self.project.clone());
        self.work.spawn(async move {
            let _ = work.store().touch_project(&project).await.map_err(Error::told);
            let mut held = work.0.held.lock();
            if let Some(count) = held.get_mut(&project) {
                *count -= 1;
                if *count == 0 {
                    held.remove(&project);
                }
            }
        });
    }
}

impl Work {
    /// Counts as the agent's work until it is dropped.
    pub fn hold(&self, project: &ProjectId) -> Hold {
        *self.0.held.lock().entry(project.clone()).or_default() += 1;
        Hold { work: self.clone(), project: project.clone() }
    }

    /// From now on, projects without work for `after` are stopped.
    pub fn stop_idle(&self, after: Duration) {
        let work = self.clone();
        tokio::spawn(async move {
            let candidates = || async {
                let projects = work.store().all_projects().await.map_err(Error::told).unwrap_or_default();
                let idle = projects.into_iter().filter(|p| p.status == Status::Active && !work.has_work(&p.id));
                idle.map(|p| (p.id, p.used)).collect()
            };
            let stop = |project: ProjectId| {
                let work = work.clone();
                async move { work.run_and_wait(&project, Kind::Rest { after }).await }
            };
            tokio::select! {
                () = watch(after, Timestamp::now, candidates, stop) => {}
                () = work.stopping().cancelled() => {}
            }
        });
    }

    fn has_work(&self, project: &ProjectId) -> bool {
        self.has_turns(project) || self.0.held.lock().contains_key(project)
    }

    /// Stops a project if it is idle still.
    pub(super) async fn rest(&self, project: &Project, after: Duration, steps: mpsc::Sender<Progress>) -> Result<()> {
        let due = left(project.used, after, Timestamp::now()).is_zero();
        if project.status != Status::Active || !due || self.has_work(&project.id) {
            return Ok(());
        }
        self.set_status(&project.id, Status::Deactivating, None).await?;
        // A turn that is not seen here looks at the status after this, and waits for the end of this run to start the project.
        if self.has_work(&project.id) {
            return self.set_status(&project.id, Status::Active, None).await;
        }
        let idle = format!("idle for {} and was stopped", shown(after));
        self.wind_down(project, Some(format!("It was {idle}; a message in one of its threads starts it again.")), steps).await?;
        tracing::info!(project = %project.id, ?after, "stopped an idle project");
        if let Some(session) = self.store().last_session(&project.id).await? {
            let surface = session.thread.0.split(':').next().unwrap_or_default();
            if let Some(chat) = self.0.chats.get(surface) {
                let text = format!("The project `{}` was {idle}; a message here starts it again.", project.name);
                chat.note(&session.thread, text).await;
            }
        }
        Ok(())
    }
}

/// Calls `stop` for each of the candidates that has been without work for `after`, for ever.
async fn watch<F, S>(after: Duration, now: impl Fn() -> Timestamp, candidates: impl Fn() -> F, stop: impl Fn(ProjectId) -> S)
where
    F: Future<Output = Vec<(ProjectId, Timestamp)>>,
    S: Future<Output = ()>,
{
    // Deadlines that are close together are met together.
    let pause = (after / 20).clamp(Duration::from_millis(10), Duration::from_secs(10));
    loop {
        let looked = now();
        let mut next = after;
        let mut due = Vec::new();
        for (project, worked) in candidates().await {
            match left(worked, after, looked) {
                Duration::ZERO => due.push(project),
                left => next = next.min(left),
            }
        }
        futures_util::stream::iter(due).for_each_concurrent(AT_ONCE, &stop).await;
        tokio::time::sleep(next.max(pause)).await;
    }
}

/// How long it takes until something that worked last at `worked` is due.
fn left(worked: Timestamp, after: Duration, now: Timestamp) -> Duration {
    let idle = Duration::try_from(now.duration_since(worked)).unwrap_or(Duration::ZERO);
    after.saturating_sub(idle)
}

/// `30 min`.
fn shown(time: Duration) -> String {
    match (time.as_secs(), time.as_millis()) {
        (0, ms) => format!("{ms} ms"),
        (s, _) if s % 3_600 == 0 => format!("{} h", s / 3_600),
        (s, _) if s % 60 == 0 => format!("{} min", s / 60),
        (s, _) => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    /// Projects with the second at which each worked last, and the second at which each was stopped.
    #[derive(Default)]
    struct World {
        active: Mutex<HashMap<&'static str, u64>>,
        stopped: Mutex<Vec<(&'static str, u64)>>,
        looks: Mutex<usize>,
    }

    impl World {
        fn worked(&self, project: &'static str, at: u64) {
            self.active.lock().unwrap().insert(project, at);
        }
    }

    fn second(at: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(at)
    }

    async fn run(world: Arc<World>, begin: Instant) {
        let now = move || Timestamp::UNIX_EPOCH + begin.elapsed();
        let candidates = || async {
            *world.looks.lock().unwrap() += 1;
            world.active.lock().unwrap().iter().map(|(project, at)| (ProjectId::from(*project), second(*at))).collect()
        };
        let stop = |project: ProjectId| {
            let world = world.clone();
            async move {
                let (name, _) = world.active.lock().unwrap().remove_entry(project.0.as_str()).expect("an active project");
                world.stopped.lock().unwrap().push((name, begin.elapsed().as_secs()));
            }
        };
        watch(Duration::from_secs(1_800), now, candidates, stop).await;
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_stopped_when_it_is_due_and_nobody_looks_in_between() {
        let (world, begin) = (Arc::new(World::default()), Instant::now());
        world.worked("a", 0);
        world.worked("b", 600);
        world.worked("c", 601);
        let task = tokio::spawn(run(world.clone(), begin));
        let at = async |second| tokio::time::sleep_until(begin + Duration::from_secs(second)).await;
        at(1_700).await;
        assert_eq!((world.stopped.lock().unwrap().as_slice(), *world.looks.lock().unwrap()), (&[][..], 1));
        // It works again: a new deadline.
        world.worked("a", 1_700);
        at(2_399).await;
        assert!(world.stopped.lock().unwrap().is_empty());
        at(2_420).await;
        assert_eq!(*world.stopped.lock().unwrap(), [("b", 2_400), ("c", 2_410)]);
        at(3_499).await;
        world.worked("new", 3_499);
        at(3_501).await;
        assert_eq!(world.stopped.lock().unwrap().last(), Some(&("a", 3_500)));
        at(5_310).await;
        assert_eq!(world.stopped.lock().unwrap().last(), Some(&("new", 5_299)));
        assert!(*world.looks.lock().unwrap() < 10);
        task.abort();
    }

    #[test]
    fn what_is_left() {
        let after = Duration::from_secs(60);
        assert_eq!(left(second(100), after, second(110)), Duration::from_secs(50));
        assert_eq!(left(second(100), after, second(160)), Duration::ZERO);
        // A clock that was set back stops nothing early.
        assert_eq!(left(second(100), after, second(10)), after);
    }

    #[test]
    fn durations_as_people_say_them() {
        let shown = |ms| shown(Duration::from_millis(ms));
        assert_eq!([500, 90_000, 1_800_000, 7_200_000].map(shown), ["500 ms", "90 s", "30 min", "2 h"]);
    }
}
