//! How people send our commands here. Texts name them as the grammar does, `/status`; in Slack only some stand alone, under names that
//! the configuration gives, and in threads there are none, so that they are said to the bot.
//!
//! Invariant: only what we say ourselves is changed: a reply that quotes others stays as it is.

use std::borrow::Cow;

use gaggle_commands::grammar;
use pulldown_cmark::{Event, Options as Markdown, Parser, Tag};

use super::Options;
use crate::model::{Form, Reply};

#[derive(Debug, Clone)]
pub struct Speech {
    prefix: String,
    /// The commands that stand alone.
    alone: Vec<String>,
    bot: String,
}

impl Default for Speech {
    fn default() -> Self {
        let alone = super::manifest::COMMANDS.map(str::to_owned).to_vec();
        Self { prefix: String::new(), alone, bot: "gaggle".to_owned() }
    }
}

/// Where a text is read, and so where its reader would send a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Channel,
    Thread,
}

impl Speech {
    pub fn new(options: &Options, bot: &str) -> Self {
        Self { prefix: options.command_prefix.clone(), alone: options.commands.clone(), bot: bot.to_owned() }
    }

    /// `/status` as it is sent there. `None`: it is no command of ours.
    pub fn command(&self, typed: &str, at: At) -> Option<String> {
        let body = typed.strip_prefix('/')?;
        let end = body.find(char::is_whitespace).unwrap_or(body.len());
        let (name, rest) = body.split_at(end);
        let (name, rest) = match name {
            "gaggle" => ("", rest.trim_start()),
            name => (grammar().find_subcommand(name)?.get_name(), rest),
        };
        Some(match (at, name) {
            (At::Thread, "") => format!("@{} /{}", self.bot, if rest.is_empty() { "help" } else { rest.trim_start_matches('/') }),
            (At::Thread, name) => format!("@{} /{name}{rest}", self.bot),
            (At::Channel, "") => format!("/{}gaggle {rest}", self.prefix).trim_end().to_owned(),
            (At::Channel, name) if self.alone.iter().any(|alone| alone == name) => format!("/{}{name}{rest}", self.prefix),
            (At::Channel, name) => format!("/{}gaggle {name}{rest}", self.prefix),
        })
    }

    /// Markdown of ours: the commands that stand in code, and the examples that are nothing but commands.
    pub fn text<'a>(&self, md: &'a str, at: At) -> Cow<'a, str> {
        if !md.contains("`/") && !md.contains("```\n/") {
            return Cow::Borrowed(md);
        }
        let mut out = String::with_capacity(md.len() + 32);
        let mut from = 0;
        let mut put = |start: usize, end: usize, with: &str| {
            out.push_str(&md[from..start]);
            out.push_str(with);
            from = end;
        };
        for (event, range) in Parser::new_ext(md, Markdown::ENABLE_TABLES).into_offset_iter() {
            let whole = &md[range.clone()];
            match event {
                Event::Code(code) if code.starts_with('/') => {
                    let inner = whole.trim_matches('`');
                    if let Some(command) = self.command(inner, at) {
                        let start = range.start + (whole.len() - whole.trim_start_matches('`').len());
                        put(start, start + inner.len(), &command);
                    }
                }
                Event::Start(Tag::CodeBlock(_)) => {
                    let example = |line: &str| line.starts_with("```") || gaggle_commands::parse_text(line).is_ok();
                    if whole.lines().all(example) {
                        let lines = whole.lines().map(|line| self.command(line, at).unwrap_or_else(|| line.to_owned()));
                        put(range.start, range.start + whole.trim_end().len(), &lines.collect::<Vec<_>>().join("\n"));
                    }
                }
                _ => {}
            }
        }
        out.push_str(&md[from..]);
        Cow::Owned(out)
    }

    pub fn reply(&self, reply: &mut Reply, at: At) {
        if reply.quotes {
            return;
        }
        reply.text = self.text(&reply.text, at).into_owned();
        for card in &mut reply.cards {
            card.text = self.text(&card.text, at).into_owned();
        }
    }

    pub fn form(&self, form: &Form, at: At) -> Form {
        let mut form = form.clone();
        // Of a form for a command that lacked arguments the command is the title.
        form.title = self.command(&form.title, At::Channel).unwrap_or_else(|| self.text(&form.title, at).into_owned());
        form.text = self.text(&form.text, at).into_owned();
        for field in &mut form.fields {
            field.hint = field.hint.as_ref().map(|hint| self.text(hint, at).into_owned());
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(prefix: &str, alone: &[&str]) -> Speech {
        Speech { prefix: prefix.into(), alone: alone.iter().map(|name| (*name).to_owned()).collect(), bot: "goosey".into() }
    }

    #[test]
    fn a_command_as_it_works_there() {
        let (own, acme) = (speech("", &["project", "ask"]), speech("acme-", &["project"]));
        for (typed, channel, prefixed, thread) in [
            ("/project show demo", "/project show demo", "/acme-project show demo", "@goosey /project show demo"),
            ("/ask", "/ask", "/acme-gaggle ask", "@goosey /ask"),
            ("/status", "/gaggle status", "/acme-gaggle status", "@goosey /status"),
            ("/gaggle", "/gaggle", "/acme-gaggle", "@goosey /help"),
            ("/gaggle /help", "/gaggle /help", "/acme-gaggle /help", "@goosey /help"),
        ] {
            assert_eq!(own.command(typed, At::Channel).as_deref(), Some(channel));
            assert_eq!(acme.command(typed, At::Channel).as_deref(), Some(prefixed));
            assert_eq!(own.command(typed, At::Thread).as_deref(), Some(thread));
        }
        for other in ["/healthz", "/etc/hosts", "/", "status", "/project/demo", "/invite"] {
            assert_eq!(own.command(other, At::Channel), None, "{other}");
        }
    }

    #[test]
    fn only_commands_in_code_are_changed() {
        let own = speech("", &["project"]);
        let text = |md: &str| own.text(md, At::Channel).into_owned();
        assert_eq!(
            text("**`/status`** or `` /help ``, /status and `GET /status`\n- `/approve ID` `/invite`"),
            "**`/gaggle status`** or `` /help ``, /status and `GET /status`\n- `/gaggle approve ID` `/invite`"
        );
        assert_eq!(text("| a |\n|---|\n| `/audit` |\n"), "| a |\n|---|\n| `/gaggle audit` |\n");
        assert_eq!(
            text("Example:\n```\n/status\n/deny a7 --reason no\n```"),
            "Example:\n```\n/gaggle status\n/gaggle deny a7 --reason no\n```"
        );
        assert_eq!(text("```\n/status\nGET /x\n```\n`/status`"), "```\n/status\nGET /x\n```\n`/gaggle status`");
        assert_eq!(text("ä `/status` ü"), "ä `/gaggle status` ü");
    }
}
