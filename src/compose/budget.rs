//! What one reading may cost at most: nodes and bytes, whatever aliases, `extends`, `include` and variables make of a small file.
//! Nothing here gives anything back: a reading that spends it is refused.

use super::fault::{Result, fault};
use super::node::{Mark, Node};

/// Nodes of all trees that are made, copies included.
const NODES: usize = 400_000;
/// Bytes of text that variables and aliases may make.
const BYTES: usize = 32 << 20;
/// How deep mappings and lists may be nested.
pub const DEPTH: usize = 100;
/// Nodes as they are written in one document.
pub const WRITTEN: usize = 100_000;

#[derive(Debug)]
pub struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: NODES, bytes: BYTES }
    }
}

impl Budget {
    pub fn nodes(&mut self, count: usize, at: Mark) -> Result<()> {
        match self.nodes.checked_sub(count) {
            Some(left) => self.nodes = left,
            None => {
                return fault(
                    at,
                    format!(
                        "the project becomes too large here: aliases, `extends` and short forms make more than {NODES} values"
                    ),
                );
            }
        }
        Ok(())
    }

    pub fn bytes(&mut self, count: usize, at: Mark) -> Result<()> {
        match self.bytes.checked_sub(count) {
            Some(left) => self.bytes = left,
            None => {
                return fault(
                    at,
                    format!("the project becomes too large here: variables and aliases make more than {} MiB", BYTES >> 20),
                );
            }
        }
        Ok(())
    }

    pub fn copy(&mut self, node: &Node) -> Result<Node> {
        self.nodes(node.size(), node.place())?;
        Ok(node.clone())
    }
}
