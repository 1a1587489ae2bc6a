//! What the terminal completes: the names of what its operator owns or shares. Shows nobody else's.

use gaggle_commands::Candidates;
use tokio::runtime::Handle;

use crate::access::Caller;
use crate::chat::console::Names;
use crate::error::Result;
use crate::handlers;
use crate::model::{Actor, ConversationId, Origin};
use crate::store::Store;

pub struct Known {
    store: Store,
    operator: Actor,
    runtime: Handle,
}

impl Known {
    /// To be made on an async thread, and asked on another.
    pub fn new(store: Store, operator: Actor) -> Self {
        Self { store, operator, runtime: Handle::current() }
    }

    async fn find(&self, of: &Candidates) -> Result<Vec<String>> {
        let person = self.store.person(&self.operator).await?;
        let origin = Origin { actor: self.operator.clone(), conversation: ConversationId(String::new()), input: None };
        let caller = Caller { person, role: None, executes: false, here: None, origin };
        handlers::candidates(&self.store, &caller, of).await
    }
}

impl Names for Known {
    fn names(&self, of: &Candidates) -> Vec<String> {
        self.runtime.block_on(self.find(of)).unwrap_or_default()
    }
}
