//! The prompt: line editing, history and completion by reedline. Used while nothing runs; see [`super::typing`] for the rest.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reedline::{
    ColumnarMenu, Completer, CompletionResult, EditCommand, Emacs, HistoryItem, KeyCode, KeyModifiers, MenuBuilder as _, Prompt,
    PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal, Span, Suggestion,
    default_emacs_keybindings,
};

use super::complete::{self, Names};
use super::history::Kept;
use super::live;
use super::text::width;

pub const SIGN: &str = "› ";
const MENU: &str = "completion";
const INTERRUPT: &str = "interrupt";
/// How soon something that happens meanwhile is shown.
const POLL: Duration = Duration::from_millis(40);

pub struct Editor {
    line: Reedline,
    with: With,
}

/// What an editor is made of.
#[derive(Clone)]
pub struct With {
    pub history: PathBuf,
    pub names: Arc<dyn Names>,
    /// Set by whoever has something to show.
    pub wake: Arc<AtomicBool>,
    pub colours: bool,
}

pub enum Typed {
    Line(String),
    /// Something is to be shown; this was typed so far.
    Broken(String),
    /// Ctrl-C, with or without something typed.
    Interrupted {
        empty: bool,
    },
    End,
}

impl Editor {
    pub fn new(with: With) -> Self {
        let mut keys = default_emacs_keybindings();
        let tab = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(tab));
        keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
        keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
        keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('c'), ReedlineEvent::ExecuteHostCommand(INTERRUPT.to_owned()));
        let menu = ColumnarMenu::default().with_name(MENU).with_columns(4).with_column_padding(2);
        let line = Reedline::create()
            .with_history(Box::new(Kept::open(&with.history)))
            .with_completer(Box::new(Tab(with.names.clone())))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_edit_mode(Box::new(Emacs::new(keys)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_ansi_colors(with.colours)
            .with_break_signal(with.wake.clone())
            .with_poll_interval(POLL)
            .use_bracketed_paste(true);
        Self { line, with }
    }

    /// Reads a line that begins with what was typed already.
    pub fn read(&mut self, begun: &str) -> std::io::Result<Typed> {
        if !begun.is_empty() {
            self.line.run_edit_commands(&[EditCommand::InsertString(begun.to_owned())]);
        }
        let signal = self.line.read_line(&Sign).map_err(|e| std::io::Error::other(e.to_string()))?;
        let typed = match signal {
            Signal::Success(line) => return Ok(Typed::Line(line)),
            Signal::CtrlD => return Ok(Typed::End),
            Signal::HostCommand(_) => Typed::Interrupted { empty: self.line.current_buffer_contents().is_empty() },
            Signal::ExternalBreak(line) => Typed::Broken(line),
            _ => return Ok(Typed::Interrupted { empty: true }),
        };
        live::erase_prompt(self.rows_above())?;
        // What reedline remembers of its place on the screen is not true any more.
        *self = Self::new(self.with.clone());
        Ok(typed)
    }

    /// Remembers a line that was typed elsewhere.
    pub fn remember(&mut self, line: &str) {
        let _ = self.line.history_mut().save(HistoryItem::from_command_line(line));
    }

    /// How far the cursor is below the prompt's first row.
    fn rows_above(&self) -> usize {
        let (columns, _) = live::size();
        let before = &self.line.current_buffer_contents()[..self.line.current_insertion_point()];
        let (mut rows, mut at) = (0, SIGN.chars().map(width).sum::<usize>());
        for c in before.chars() {
            match c {
                '\n' => (rows, at) = (rows + 1, SIGN.chars().map(width).sum()),
                c if at + width(c) > columns => (rows, at) = (rows + 1, width(c)),
                c => at += width(c),
            }
        }
        rows + usize::from(at >= columns)
    }
}

struct Tab(Arc<dyn Names>);

impl Completer for Tab {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let Some(before) = line.get(..pos) else { return CompletionResult::fresh(Vec::new()) };
        let (start, words) = complete::words(before, &*self.0);
        let suggestions: Vec<Suggestion> = words
            .into_iter()
            .map(|value| Suggestion { value, span: Span::new(start, pos), append_whitespace: true, ..Suggestion::default() })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

struct Sign;

impl Prompt for Sign {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(SIGN)
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("search `{}` {SIGN}", search.term))
    }
}
