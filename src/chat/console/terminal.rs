//! A person's screen and keyboard. While nothing runs, reedline edits a line at a prompt; while something does, what is under way
//! is drawn below what stays, and keys are read one by one.
//!
//! Invariant: one thread owns the terminal, and gives it back as it was, however it ends. What others wrote reaches it only as
//! [`text::Row`]s, which hold no control characters. Orders nothing: what is typed goes to the door.

mod ask;
mod clean;
mod complete;
mod editor;
mod files;
mod history;
mod inline;
mod keys;
mod live;
mod log;
mod markdown;
mod rows;
mod run;
mod table;
mod text;
mod typing;
mod view;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Once};
use std::thread::JoinHandle;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use complete::Names;
pub use log::Log;

use super::Event;
use super::input::Line;
use run::Terminal;

/// Inputs that are taken in before they are drawn.
const AT_ONCE: usize = 1000;
const THREAD: &str = "terminal";

/// What the composition root knows and a surface does not.
pub struct Setup {
    /// Where typed lines are kept.
    pub history: PathBuf,
    pub names: Arc<dyn Names>,
    /// Markdown, shown once everything is ready.
    pub welcome: String,
}

/// What the terminal's thread is told.
enum Input {
    Event(Event),
    Log(String),
    Finish,
}

/// Tells the thread something, and has it look.
#[derive(Clone)]
struct Bell {
    inputs: std_mpsc::SyncSender<Input>,
    wake: Arc<AtomicBool>,
}

impl Bell {
    fn ring(&self, input: Input) -> bool {
        let told = self.inputs.send(input).is_ok();
        self.wake.store(true, Ordering::Release);
        told
    }

    fn try_ring(&self, input: Input) -> bool {
        let told = self.inputs.try_send(input).is_ok();
        self.wake.store(true, Ordering::Release);
        told
    }
}

/// Shows `events` and gives what is typed. `closed` is cancelled when the terminal is left without waiting for what runs.
pub fn start(
    setup: Setup,
    mut events: mpsc::Receiver<Option<Event>>,
    closed: CancellationToken,
) -> (JoinHandle<()>, mpsc::Receiver<Line>) {
    let (inputs, told) = std_mpsc::sync_channel(AT_ONCE);
    let (lines, typed) = mpsc::channel(64);
    let bell = Bell { inputs, wake: Arc::default() };
    restore_on_panic();
    let wake = bell.wake.clone();
    log::attach(Some(bell.clone()));
    std::thread::spawn(move || {
        while let Some(Some(event)) = events.blocking_recv() {
            if !bell.ring(Input::Event(event)) {
                return;
            }
        }
        bell.ring(Input::Finish);
    });
    let thread = std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || {
        let _guard = Guard(closed.clone());
        let _ = Terminal::new(setup, wake, told, lines, closed).run();
    });
    // Without it the input is at its end at once, and with it the program.
    (thread.unwrap_or_else(|_| std::thread::spawn(|| {})), typed)
}

/// Gives the terminal back and ends the program's run, however the thread ends.
struct Guard(CancellationToken);

impl Drop for Guard {
    fn drop(&mut self) {
        log::attach(None);
        live::restore();
        self.0.cancel();
    }
}

pub fn restore() {
    live::restore();
}

/// A panic that ends the program leaves a usable terminal; one that does not is told as any other line of the log.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if matches!(std::thread::current().name(), Some(THREAD | "main")) {
                log::attach(None);
                live::restore();
                before(info);
            } else {
                tracing::error!("{info}");
            }
        }));
    });
}
