//! What the program logs while a terminal is in use: told there as rows, so that it stands above what is being drawn.

use std::io::{IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use super::{Bell, Input};

static TERMINAL: Mutex<Option<Bell>> = Mutex::new(None);

/// Standard error, or the terminal in use if that is where it would show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

pub fn attach(bell: Option<Bell>) {
    if bell.is_none() || std::io::stderr().is_terminal() {
        *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) = bell;
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let bell = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = bell.is_some_and(|bell| bell.try_ring(Input::Log(String::from_utf8_lossy(bytes).into_owned())));
        if !told {
            std::io::stderr().lock().write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}
