//! What the terminal completes: the names of what its operator owns or shares. Shows nobody else's.

use std::sync::{Arc, OnceLock};

use gaggle_commands::Candidates;
use tokio::runtime::Handle;

use crate::chat::console::Names;
use crate::engine::Engine;
use crate::model::{Actor, ConversationId, Origin};

/// Who is asked, once there is somebody.
pub type Asked = Arc<OnceLock<Engine>>;

pub struct Known {
    engine: Asked,
    operator: Arc<Actor>,
    runtime: Handle,
}

impl Known {
    /// To be made on an async thread, and asked on another.
    pub fn new(engine: Asked, operator: Arc<Actor>) -> Self {
        Self { engine, operator, runtime: Handle::current() }
    }
}

impl Names for Known {
    fn names(&self, of: &Candidates) -> Vec<String> {
        let Some(engine) = self.engine.get() else { return Vec::new() };
        let origin = Origin { actor: self.operator.clone(), conversation: ConversationId(String::new()), input: None };
        self.runtime.block_on(engine.candidates(&origin, of)).unwrap_or_default()
    }
}
