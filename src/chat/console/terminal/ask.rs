//! Questions at the console: approvals that one key answers, and forms.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use secrecy::SecretString;
use serde_json::Value;

use super::super::input::What;
use super::live::Cursor;
use super::markdown;
use super::text::{Break, Colour, Row, Style, lines};
use crate::model::{Field, FormId, Values};

/// Keys typed before a question could be seen do not answer it.
const UNSEEN: Duration = Duration::from_millis(300);

pub struct Approval {
    pub id: String,
    pub turn: String,
    pub since: Instant,
    /// The input that a key sent, until that has ended.
    pub answered: Option<String>,
}

impl Approval {
    /// The command that a key stands for.
    pub fn command(&self, key: char) -> Option<String> {
        if self.since.elapsed() < UNSEEN {
            return None;
        }
        match key.to_ascii_lowercase() {
            'a' => Some(format!("/approve {}", self.id)),
            'w' => Some(format!("/approve {} --always", self.id)),
            'd' => Some(format!("/deny {}", self.id)),
            _ => None,
        }
    }

    pub fn choice(&self) -> Option<Row> {
        if self.since.elapsed() < UNSEEN {
            return None;
        }
        let mut row = Row::new(&format!("{}: ", self.id), Style::of(Colour::Yellow));
        for (key, rest) in [("[a]", "llow once  "), ("[w]", " always  "), ("[d]", "eny")] {
            row.push(key, Style { bold: true, ..Style::of(Colour::Yellow) });
            row.push(rest, Style::of(Colour::Yellow));
        }
        Some(row)
    }
}

/// Everything that the tool would be called with.
pub fn approval_box(id: &str, tool: &str, title: &str, arguments: &Value, columns: usize) -> Vec<Row> {
    let edge = Style::of(Colour::Yellow);
    let margin = Row::new("│ ", edge);
    let inner = Row(margin.0.iter().copied().chain("  ".chars().map(|c| (c, Style::PLAIN))).collect());
    let mut rows = Vec::new();
    let mut top = Row::new("╭ ", edge);
    top.push(&format!("{id}: {tool} asks to run"), Style { bold: true, ..edge });
    rows.push(top);
    rows.extend(lines(title, Style::BOLD, columns, &margin, Break::Anywhere));
    match arguments {
        Value::Object(all) => {
            for (key, value) in all {
                match value {
                    Value::String(text) if !text.contains(['\n', '\r']) => {
                        rows.extend(lines(
                            &format!("{}: {text}", super::clean::line(key)),
                            Style::PLAIN,
                            columns,
                            &margin,
                            Break::Anywhere,
                        ));
                    }
                    value => {
                        rows.extend(lines(
                            &format!("{}:", super::clean::line(key)),
                            Style::PLAIN,
                            columns,
                            &margin,
                            Break::Anywhere,
                        ));
                        let text = value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned);
                        rows.extend(lines(&text, Style::PLAIN, columns, &inner, Break::Anywhere));
                    }
                }
            }
        }
        Value::Null => {}
        other => rows.extend(lines(&format!("{other:#}"), Style::PLAIN, columns, &margin, Break::Anywhere)),
    }
    rows.push(Row::new("╰", edge));
    rows
}

/// A form that is being filled in.
pub struct Form {
    /// What asked for it.
    pub input: Option<String>,
    id: FormId,
    title: String,
    confirm: bool,
    fields: Vec<Field>,
    values: BTreeMap<String, SecretString>,
    typed: String,
    /// What was wrong with the last value.
    wrong: Option<String>,
    since: Instant,
}

pub enum Filled {
    Open,
    /// A field's value, as it may be seen.
    Said(Row),
    Done(What, Row),
}

impl Form {
    pub fn new(input: Option<String>, id: String, title: String, confirm: bool, fields: Vec<Field>) -> Self {
        // Typing must not leave copies behind that nobody wipes.
        let typed = String::with_capacity(8192);
        let mut form = Self {
            input,
            id: FormId(id),
            title,
            confirm,
            fields,
            values: BTreeMap::new(),
            typed,
            wrong: None,
            since: Instant::now(),
        };
        form.begin();
        form
    }

    /// What stands in the next field at first can be changed, as if it had been typed.
    fn begin(&mut self) {
        let value = self
            .fields
            .get(self.values.len())
            .filter(|field| !field.secret && field.options.is_empty())
            .and_then(|field| field.value.as_deref());
        self.typed.push_str(value.unwrap_or_default());
    }

    pub fn title(&self, columns: usize) -> Vec<Row> {
        markdown::render(&self.title, Style::BOLD, columns)
    }

    pub fn key(&mut self, key: KeyEvent) -> Filled {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return self.cancel(),
            KeyCode::Char('c' | 'd') if control => return self.cancel(),
            KeyCode::Char(c) if self.confirm && !control && self.since.elapsed() >= UNSEEN => match c.to_ascii_lowercase() {
                'y' => {
                    return Filled::Done(
                        What::Fill(self.id.clone(), Values::default()),
                        Row::new("yes", Style::of(Colour::Green)),
                    );
                }
                'n' => return self.cancel(),
                _ => {}
            },
            _ if self.confirm => {}
            KeyCode::Enter => return self.enter(),
            KeyCode::Backspace => drop(self.typed.pop()),
            KeyCode::Char('u') if control => self.typed.clear(),
            KeyCode::Char(c) if !control => self.typed.push(c),
            _ => {}
        }
        Filled::Open
    }

    pub fn paste(&mut self, text: &str) {
        if !self.confirm {
            self.typed.push_str(text);
        }
    }

    fn cancel(&mut self) -> Filled {
        let said = if self.confirm { "no" } else { "cancelled" };
        Filled::Done(What::Cancel(self.id.clone()), Row::new(said, Style::DIM))
    }

    fn enter(&mut self) -> Filled {
        let Some(field) = self.fields.get(self.values.len()) else {
            return Filled::Done(What::Fill(self.id.clone(), Values(std::mem::take(&mut self.values))), Row::default());
        };
        let mut value = std::mem::replace(&mut self.typed, String::with_capacity(8192));
        if let Some(option) = value.trim().parse::<usize>().ok().and_then(|n| field.options.get(n.checked_sub(1)?)) {
            value.clone_from(option);
        }
        // Of a choice, the usual one is not typed: it goes without saying.
        if let Some(usual) = field.value.as_ref().filter(|_| value.is_empty() && !field.options.is_empty()) {
            value.clone_from(usual);
        }
        self.wrong = None;
        if field.required && value.trim().is_empty() {
            self.wrong = Some("It is needed; Esc cancels.".to_owned());
            return Filled::Open;
        }
        if !field.options.is_empty() && !value.is_empty() && !field.options.contains(&value) {
            self.wrong = Some("Choose one of them, by its number or as it is written.".to_owned());
            return Filled::Open;
        }
        let mut said = Row::new(&format!("{}: ", field.label), Style::PLAIN);
        match field.secret {
            true => said.push("(hidden)", Style::DIM),
            false => said.push(&value, Style::PLAIN),
        }
        self.values.insert(field.name.clone(), SecretString::from(value));
        self.begin();
        match self.values.len() == self.fields.len() {
            true => Filled::Done(What::Fill(self.id.clone(), Values(std::mem::take(&mut self.values))), said),
            false => Filled::Said(said),
        }
    }

    /// What is asked now, with the cursor where the answer goes.
    pub fn live(&self, columns: usize) -> (Vec<Row>, Option<Cursor>) {
        let ask = Style::of(Colour::Yellow);
        if self.confirm && self.since.elapsed() < UNSEEN {
            return (Vec::new(), None);
        }
        if self.confirm {
            return (vec![Row::new("[y]es  [n]o ", Style { bold: true, ..ask })], None);
        }
        let Some(field) = self.fields.get(self.values.len()) else { return (Vec::new(), None) };
        let mut rows = Vec::new();
        if let Some(wrong) = &self.wrong {
            rows.extend(lines(wrong, Style::of(Colour::Red), columns, &Row::default(), Break::Words));
        }
        if let Some(hint) = &field.hint {
            rows.extend(lines(hint, Style::DIM, columns, &Row::default(), Break::Words));
        }
        for (n, option) in field.options.iter().enumerate() {
            rows.extend(lines(
                &format!("{}) {option}", n + 1),
                Style::PLAIN,
                columns,
                &Row::new("  ", Style::PLAIN),
                Break::Words,
            ));
        }
        let note = match (field.secret, field.required) {
            (true, _) => " (not shown)",
            (false, false) => " (may be left empty)",
            (false, true) => "",
        };
        let typed = if field.secret { String::new() } else { self.typed.replace('\n', " ") };
        // An empty last row would not be drawn.
        rows.extend(lines(&format!("{}{note}: {typed}", field.label), ask, columns, &Row::default(), Break::Anywhere));
        (rows, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn typed(form: &mut Form, text: &str) -> Filled {
        for c in text.chars() {
            form.key(key(KeyCode::Char(c)));
        }
        form.key(key(KeyCode::Enter))
    }

    #[test]
    fn a_secret_is_never_drawn() {
        let field = |name: &str, secret, options: &[&str]| Field {
            secret,
            options: options.iter().map(|o| (*o).to_owned()).collect(),
            ..Field::new(name, name)
        };
        let mut form = Form::new(
            None,
            "f1".into(),
            "Set it".into(),
            false,
            vec![field("value", true, &[]), field("scope", false, &["one", "two"])],
        );
        for c in "hunter2".chars() {
            form.key(key(KeyCode::Char(c)));
        }
        let drawn: String = form.live(80).0.iter().map(Row::text).collect();
        assert!(!drawn.contains("hunter") && drawn.contains("not shown"), "{drawn}");
        assert!(matches!(form.key(key(KeyCode::Enter)), Filled::Said(row) if row.text() == "value: (hidden)"));
        assert!(matches!(typed(&mut form, "three"), Filled::Open));
        assert!(form.wrong.is_some());
        match typed(&mut form, "2") {
            Filled::Done(What::Fill(id, values), _) => {
                use secrecy::ExposeSecret as _;
                assert_eq!(id.0, "f1");
                assert_eq!(values.0["value"].expose_secret(), "hunter2");
                assert_eq!(values.0["scope"].expose_secret(), "two");
            }
            _ => panic!("not filled in"),
        }
    }

    #[test]
    fn what_stands_in_a_field_is_kept_or_changed() {
        use secrecy::ExposeSecret as _;
        let field = |name: &str, value: &str, options: &[&str]| Field {
            value: Some(value.to_owned()),
            hint: Some("a hint".to_owned()),
            options: options.iter().map(|o| (*o).to_owned()).collect(),
            ..Field::new(name, name)
        };
        let fields = vec![field("a", "one", &[]), field("b", "two", &[]), field("c", "x", &["x", "y"])];
        let mut form = Form::new(None, "f1".into(), "t".into(), false, fields);
        let drawn: String = form.live(80).0.iter().map(Row::text).collect();
        assert!(drawn.contains("a hint") && drawn.contains("a: one"), "{drawn}");
        typed(&mut form, "");
        typed(&mut form, "!");
        match typed(&mut form, "") {
            Filled::Done(What::Fill(_, values), _) => {
                let value = |name: &str| values.0[name].expose_secret().to_owned();
                assert_eq!([value("a"), value("b"), value("c")], ["one", "two!", "x"]);
            }
            _ => panic!("not filled in"),
        }
    }

    #[test]
    fn an_approval_shows_all_arguments_and_no_escape() {
        let arguments =
            serde_json::json!({"command": "echo \u{1b}[2J ".to_owned() + &"x".repeat(100), "list": [1, 2], "text": "a\nb: c"});
        let rows: Vec<String> = approval_box("a1", "shell", "run\u{1b}]0;t\u{7}", &arguments, 40).iter().map(Row::text).collect();
        let text = rows.join("\n");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        assert_eq!(text.matches('x').count(), 100 + "text".matches('x').count());
        assert!(text.contains("│   b: c"), "{text}");
        assert!(rows.iter().all(|r| r.chars().count() <= 40), "{text}");
    }
}
