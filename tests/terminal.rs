//! The console on a real terminal: stories told at the keyboard of a pseudo-terminal, and what then stands on its screen.

use std::path::Path;

use crate::support::pty::{CTRL_C, CTRL_D, Pty};

fn dev(folder: &Path) -> Pty {
    let pty = Pty::start(folder, &["dev", "--data", "data", "--agent", "demo"]);
    pty.prompt();
    pty
}

fn create(pty: &Pty, name: &str) {
    pty.type_line(&format!("/project create {name}"));
    pty.see(&format!("Created the project {name}."));
    pty.prompt();
}

/// Waits until the answer has counted that far; the screen may have scrolled on.
fn counted(pty: &Pty, least: u32) {
    let number = |word: &str| word.strip_prefix('w').and_then(|n| n.parse::<u32>().ok());
    pty.wait(&format!("w{least}"), |screen| screen.split_whitespace().filter_map(number).any(|n| n >= least));
}

#[test]
fn a_first_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = dev(folder.path());
    let welcome = pty.see("/help");
    assert!(welcome.contains("demo agent") && welcome.contains("/project create") && welcome.contains("/ask"), "{welcome}");
    assert!(welcome.trim_end().lines().count() <= 5, "{welcome}");

    // Tab: a command's word, then a project's name.
    pty.type_keys("/proj\t");
    pty.see("› /project ");
    pty.type_keys("\t");
    pty.wait("what there is to choose from", |screen| ["activate", "create", "unshare"].iter().all(|w| screen.contains(w)));
    pty.type_keys("cr\r");
    pty.see("› /project create");
    pty.type_keys(" demo\r");
    pty.see("Created the project demo.");
    pty.prompt();
    pty.type_keys("/ask de\t");
    pty.see("› /ask demo");
    pty.type_keys("say 200 words\r");
    let screen = pty.see("w200");
    assert!(screen.contains("✓"), "{screen}");
    let screen = pty.see(" tokens, ");
    assert!(screen.lines().any(|line| line.starts_with("— ")), "{screen}");
    pty.prompt();

    // Markdown without its marks.
    pty.type_line("hello there");
    let screen = pty.see("│ hello there");
    assert!(!screen.contains("**"), "{screen}");
    pty.prompt();

    // One key allows.
    pty.type_line("use the tool");
    pty.see("[a]llow once  [w] always  [d]eny");
    let screen = pty.see("asks to run");
    assert!(screen.contains("command: echo demo"), "{screen}");
    pty.type_keys("a");
    let screen = pty.see("a1 allowed");
    assert!(screen.contains("demo_tool"), "{screen}");
    pty.see("It was allowed this once");
    pty.prompt();
    pty.type_line("use the tool again");
    pty.see("a2: [a]llow once");
    pty.type_keys("d");
    pty.see("It was not allowed");
    pty.prompt();

    pty.type_keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    assert!(pty.is_restored());
}

#[test]
fn ctrl_c_stops_an_answer_and_twice_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = dev(folder.path());
    create(&pty, "demo");
    pty.type_line("/ask demo say 5000 words");
    counted(&pty, 100);
    // A message that is sent meanwhile waits, and is seen.
    pty.type_keys("say 3 words");
    pty.see("› say 3 words");
    pty.type_keys("\r");
    pty.see("waiting for the answer before it");
    pty.type_keys(CTRL_C);
    pty.see("— stopped");
    pty.see("w1 w2 w3");
    pty.prompt();
    assert!(!pty.written().contains("w5000"), "it was not stopped");

    pty.type_line("say 100000 words");
    counted(&pty, 6000);
    pty.type_keys(CTRL_C);
    pty.wait("the second end", |screen| screen.contains("— stopped") && !screen.contains("w1 w2 w3\n"));
    pty.type_line("say 100000 words");
    pty.see("Ctrl-C stops it");
    pty.type_keys(CTRL_C);
    pty.type_keys(CTRL_C);
    assert_eq!(pty.ended(), 0);
    assert!(pty.is_restored());
}

#[test]
fn lines_are_remembered_and_colours_can_be_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = dev(folder.path());
    create(&pty, "demo");
    pty.type_line("/ask demo say 3 words");
    pty.see("w1 w2 w3");
    pty.prompt();
    assert!(pty.written().contains("\x1b[0;1m"), "nothing is bold");
    // A file is shown where it is short.
    pty.type_line("/session export");
    let screen = pty.see("## operator");
    assert!(screen.contains("── "), "{screen}");
    pty.prompt();
    // What is typed at the prompt can be taken back.
    pty.type_keys("/project delete demo");
    pty.see("› /project delete demo");
    pty.type_keys(CTRL_C);
    pty.prompt();
    pty.type_keys(CTRL_C);
    assert_eq!(pty.ended(), 0);

    let mut pty = Pty::start_with(folder.path(), &["dev", "--data", "data", "--agent", "demo"], &[("NO_COLOR", "1")]);
    pty.prompt();
    pty.type_keys("\x1b[A\x1b[A");
    pty.see("› /ask demo say 3 words");
    pty.type_keys("\r");
    pty.see("— ");
    pty.prompt();
    pty.type_keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    let written = pty.written();
    let coloured = written.split("\x1b[").skip(1).any(|code| {
        let end = code.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(0);
        code[end..].starts_with('m')
            && code[..end].split(';').any(|n| matches!(n.parse(), Ok(30..=49 | 90..=107)) && !matches!(n, "39" | "49"))
    });
    assert!(!coloured, "{written:?}");
}

#[test]
fn secrets_are_hidden_and_destruction_is_confirmed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = dev(folder.path());
    create(&pty, "demo");
    pty.type_line("/project secret set demo API_TOKEN");
    pty.see("(not shown)");
    pty.type_line("hunter2-is-my-password");
    pty.see("Set API_TOKEN for the project demo");
    pty.prompt();
    pty.type_line("/project secret list demo");
    pty.wait("the secret's name", |screen| screen.matches("API_TOKEN").count() >= 2);
    pty.prompt();
    // Refused, and forgotten at once.
    pty.type_line("/project create other --env API_KEY=hunter3");
    pty.see("! ");
    pty.prompt();

    pty.type_line("/project delete demo");
    pty.see("[y]es  [n]o");
    pty.type_keys("n");
    pty.see("nothing was done");
    pty.prompt();
    pty.type_line("/project delete demo");
    pty.wait("the question", |screen| screen.trim_end().ends_with("[y]es  [n]o"));
    pty.type_keys("y");
    pty.see("Deleted the project demo.");
    pty.prompt();
    pty.type_keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    assert!(!pty.written().contains("hunter2"), "the secret was on the screen");
    let history = std::fs::read_to_string(folder.path().join("data/history")).expect("a history");
    assert!(history.contains("/project delete demo"), "{history}");
    assert!(!history.contains("hunter") && !history.contains("secret"), "{history}");
}

#[test]
fn a_signal_and_another_size_leave_the_terminal_usable() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut pty = dev(folder.path());
    create(&pty, "demo");
    pty.type_line("/ask demo say 20000 words");
    counted(&pty, 100);
    pty.resize(20, 50);
    counted(&pty, 5000);
    let pid = rustix::process::Pid::from_raw(pty.pid().cast_signed()).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a signal");
    assert_eq!(pty.ended(), 0);
    assert!(pty.is_restored());
}
