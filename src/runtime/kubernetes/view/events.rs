//! The events of a namespace, read only while somebody needs them: they carry no labels to choose ours by.

use std::sync::Arc;

use futures_util::StreamExt as _;
use kube::api::Api;
use kube::runtime::watcher::{self, Event};
use tokio::time::{Instant, sleep};

use super::{PAUSE, View, WATCH};
use crate::model::ProjectId;
use crate::runtime::kubernetes::client::Clients;
use crate::runtime::kubernetes::seen::EventSeen;

impl View {
    /// Reads the events of a namespace for as long as what is returned lives; several share one watch.
    pub fn listen(self: &Arc<Self>, clients: &Clients, namespace: &str) -> Listening {
        let mut state = self.state();
        match state.listened.get_mut(namespace) {
            Some((count, _)) => *count += 1,
            None => {
                let task = tokio::spawn(self.clone().read_events(clients.clone(), namespace.to_owned()));
                state.listened.insert(namespace.to_owned(), (1, task));
            }
        }
        Listening { view: self.clone(), namespace: namespace.to_owned() }
    }

    async fn read_events(self: Arc<Self>, clients: Clients, namespace: String) {
        let api: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(clients.calls, &namespace);
        let mut watch = std::pin::pin!(watcher::watcher(api, watcher::Config::default().timeout(WATCH).any_semantic()));
        let since = Instant::now();
        while let Some(event) = watch.next().await {
            match event {
                Ok(Event::Apply(event) | Event::InitApply(event)) => self.heard(&EventSeen::from(&event)),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%namespace, %error, after = ?since.elapsed(), "the events of a namespace cannot be read");
                    sleep(PAUSE.1).await;
                }
            }
        }
    }

    fn heard(&self, event: &EventSeen) {
        let id = event.object.strip_prefix("proj-").and_then(|rest| rest.split('-').next());
        let Some(id) = id else { return };
        let state = self.state();
        if let Some(seen) = state.projects.get(&ProjectId(id.to_owned())) {
            seen.send_modify(|seen| seen.note(event.clone()));
        }
    }
}

/// Keeps a namespace's events coming.
pub struct Listening {
    view: Arc<View>,
    namespace: String,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.view.state();
        if let Some((count, task)) = state.listened.get_mut(&self.namespace) {
            *count -= 1;
            if *count == 0 {
                task.abort();
                state.listened.remove(&self.namespace);
            }
        }
    }
}
