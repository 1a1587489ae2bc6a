//! A terminal with somebody at it: the real program on a pseudo-terminal, its screen as a VT100 shows it, and keys.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const ROWS: u16 = 40;
const COLUMNS: u16 = 100;
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

pub struct Pty {
    shared: Arc<Shared>,
    keys: Arc<Mutex<Box<dyn Write + Send>>>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

struct Seen {
    parser: vt100::Parser<Answers>,
    /// Everything that was ever written.
    raw: Vec<u8>,
    ended: bool,
}

/// What a terminal says when it is asked where its cursor is.
struct Answers(Arc<Mutex<Box<dyn Write + Send>>>);

impl vt100::Callbacks for Answers {
    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        if c == 'n' && i1.is_none() && params.first().is_some_and(|p| *p == [6]) {
            let (row, column) = screen.cursor_position();
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = write!(keys, "\x1b[{};{}R", row + 1, column + 1);
            let _ = keys.flush();
        }
    }
}

impl Pty {
    /// `gaggle` with these arguments, in `folder`.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        Self::start_with(folder, args, &[])
    }

    pub fn start_with(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_gaggle"));
        command.args(args);
        command.cwd(folder);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let keys = Arc::new(Mutex::new(pair.master.take_writer().expect("a keyboard")));
        let parser = vt100::Parser::new_with_callbacks(size_of(ROWS), size_of(COLUMNS), 10_000, Answers(keys.clone()));
        let shared =
            Arc::new(Shared { seen: Mutex::new(Seen { parser, raw: Vec::new(), ended: false }), changed: Condvar::new() });
        let mut reader = pair.master.try_clone_reader().expect("a screen");
        let writes = shared.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            loop {
                let n = reader.read(&mut bytes).unwrap_or(0);
                let mut seen = writes.lock();
                seen.parser.process(&bytes[..n]);
                seen.raw.extend_from_slice(&bytes[..n]);
                seen.ended = n == 0;
                writes.changed.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        Self { shared, keys, child, master: pair.master }
    }

    pub fn type_keys(&self, keys: &str) {
        let mut to = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        to.write_all(keys.as_bytes()).expect("keys");
        to.flush().expect("keys");
    }

    pub fn type_line(&self, line: &str) {
        self.type_keys(&format!("{line}\r"));
    }

    /// Waits until the screen is as wanted.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        let mut seen = self.shared.lock();
        loop {
            let screen = seen.parser.screen().contents();
            if wanted(&screen) {
                return screen;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !seen.ended, "{what} never came:\n{screen}");
            seen = self.shared.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn see(&self, text: &str) -> String {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Waits until an empty prompt is the last line.
    pub fn prompt(&self) -> String {
        self.wait("the prompt", |screen| screen.trim_end().lines().last().is_some_and(|line| line.trim_end() == "›"))
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        self.shared.lock().parser.screen_mut().set_size(size_of(rows), size_of(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("another size");
    }

    /// Everything that was ever written, escape sequences and all.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().raw).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    /// Waits for the end and gives the exit code.
    pub fn ended(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.shared.lock().parser.screen().contents());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether the terminal is as it was found: echo and lines on, cursor shown.
    pub fn is_restored(&self) -> bool {
        let end = Instant::now() + PATIENCE;
        let mut seen = self.shared.lock();
        while !seen.ended && Instant::now() < end {
            seen = self.shared.changed.wait_timeout(seen, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
        }
        let screen = seen.parser.screen();
        let modes = self.master.get_termios().map(|t| format!("{:?}", t.local_flags)).unwrap_or_default();
        let cooked = modes.is_empty() || (modes.contains("ECHO") && modes.contains("ICANON"));
        cooked && !screen.hide_cursor() && !screen.bracketed_paste() && !screen.alternate_screen()
    }
}

fn size_of(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a size")
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
