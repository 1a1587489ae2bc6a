//! The steps of a run, for whoever waits for it.

use std::time::Duration;

use crate::model::{Progress, StepState};

pub struct Steps(pub crate::runtime::Steps);

impl Steps {
    pub async fn running(&self, step: &str, text: String) {
        self.tell(step, StepState::Running, text).await;
    }

    pub async fn done(&self, step: &str, text: String) {
        self.tell(step, StepState::Done, text).await;
    }

    pub async fn failed(&self, step: &str, text: &str) {
        self.tell(step, StepState::Failed, text.to_owned()).await;
    }

    /// Nobody who does not listen may hold up a run.
    async fn tell(&self, step: &str, state: StepState, text: String) {
        let step = Progress { step: step.to_owned(), state, text };
        let _ = self.0.send_timeout(step, Duration::from_secs(1)).await;
    }
}
