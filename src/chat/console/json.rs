//! The JSON door's screen: one object a line.

use super::{Event, Screen};

pub struct Json;

impl Screen for Json {
    fn show(&mut self, event: Event, out: &mut Vec<u8>) {
        // Every event is plain data: what cannot be JSON does not occur in it.
        if serde_json::to_writer(&mut *out, &event).is_ok() {
            out.push(b'\n');
        }
    }
}
