//! Forms and confirmations: a command that waits for what it still needs. It is authorized again when the answer comes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use gaggle_commands::{Candidates, Command, OptionValue, ProjectCommand};
use secrecy::ExposeSecret as _;
use tokio::sync::oneshot;

use super::{Engine, FORM_LIFE, Ticket};
use crate::access::{self, Authorized, Caller};
use crate::error::{Result, refused};
use crate::handlers::{self, More};
use crate::model::{Field, Form, FormId, Notice, Origin, PersonId, Reply, Values};

/// Forms that may be open at once; the next is refused.
const OPEN: usize = 1000;
/// What a menu can hold on every surface.
const CHOICES: usize = 100;

#[derive(Default)]
pub struct Forms {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    number: u64,
    pending: HashMap<FormId, Pending>,
}

struct Pending {
    form: Form,
    wanted: Wanted,
    person: PersonId,
    origin: Origin,
    /// The surface's key of the input that asked for it.
    source: Option<String>,
    /// Ends the input that asked for the form.
    ended: oneshot::Sender<bool>,
}

/// What the form's values are for.
enum Wanted {
    /// They go with this command, and with what was filled in before.
    Values(Box<Command>, Values),
    /// They are the arguments of the command at this path.
    Arguments(String),
}

impl Pending {
    /// The command that it was asked for with these values, and whose it would be. `Err`: a field, and what is wrong with it; `None`:
    /// nothing is, and it is no command yet.
    fn command(&self, values: &Values) -> Option<std::result::Result<(Command, PersonId), (String, String)>> {
        let first = self.form.fields.first().map(|f| f.name.clone()).unwrap_or_default();
        if let Err(error) = check(&self.form, values) {
            let missing = self.form.fields.iter().find(|f| f.required && is_empty(values, &f.name));
            return Some(Err((missing.map_or(first, |f| f.name.clone()), error.to_string())));
        }
        let Wanted::Arguments(path) = &self.wanted else { return None };
        Some(gaggle_commands::parse_options(path, &options(values)).map(|command| (command, self.person.clone())).map_err(
            |usage| {
                let mut fields = self.form.fields.iter();
                let named = fields
                    .find(|f| usage.fault.contains(&f.name.to_uppercase()) || usage.fault.contains(&format!("--{}", f.name)));
                (named.map_or(first, |f| f.name.clone()), usage.fault.clone())
            },
        ))
    }
}

impl Forms {
    fn with<T>(&self, look: impl FnOnce(&mut Open) -> T) -> T {
        look(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, id: &FormId) -> Option<Pending> {
        self.with(|o| o.pending.remove(id))
    }
}

impl Engine {
    pub(super) async fn ask_form(&self, call: Authorized, form: Form) -> Result<Ticket> {
        let (asker, source) = (call.caller, call.source);
        self.open_form(asker, source, form, Wanted::Values(Box::new(call.command), Values::default())).await
    }

    /// Asks for what a command found out that it still needs.
    pub(super) async fn ask_more(&self, more: More) -> Result<Ticket> {
        let More { call, form, kept } = more;
        self.open_form(call.caller, call.source, form, Wanted::Values(Box::new(call.command), kept)).await
    }

    pub(super) fn asks_for_arguments(&self, origin: &Origin) -> bool {
        self.work().chat(origin).is_some_and(|chat| chat.asks_for_arguments() && chat.has_forms())
    }

    /// Asks for what a command lacks.
    pub(super) async fn ask_arguments(
        &self,
        origin: Origin,
        source: Option<String>,
        typed: &str,
        usage: gaggle_commands::Usage,
    ) -> Result<Ticket> {
        let caller = self.caller(&origin).await?;
        let Some((path, blanks)) = gaggle_commands::blanks(typed) else {
            return refused(usage.to_string());
        };
        if caller.role.is_none() {
            return access::default_project(self.work().store(), &caller).await.map(|_| Ticket::done(false));
        }
        let mut fields = Vec::new();
        for blank in blanks {
            let person = blank.candidates == Candidates::People;
            let options = match blank.choices.is_empty() {
                // Those that are known are not all that there are.
                true if person => Vec::new(),
                true => handlers::candidates(&self.0.context, &caller, &blank.candidates).await?,
                false => blank.choices,
            };
            let mut value = blank.value;
            // A project that was named already: there it is, under the name that the menu has for it, or it is said that it is not.
            if let (Candidates::Projects, Some(named)) = (&blank.candidates, &value)
                && !options.contains(named)
            {
                let project = access::find_project(self.work().store(), &caller, named).await?;
                let whole = access::Owners::load(self.work().store()).await?.project(&project);
                value = options.iter().find(|o| **o == whole).or(options.iter().find(|o| **o == project.name)).cloned();
            }
            // What is not among the choices has to be typed.
            let options = if options.len() > CHOICES { Vec::new() } else { options };
            fields.push(Field {
                required: blank.required,
                hint: Some(blank.about).filter(|about| !about.is_empty()),
                value: value.filter(|value| options.is_empty() || options.contains(value)),
                options,
                long: blank.long,
                switch: blank.switch,
                person,
                ..Field::new(blank.name.clone(), label(&blank.name))
            });
        }
        let form = Form::new(format!("/{path}"), fields);
        self.open_form(caller, source, form, Wanted::Arguments(path)).await
    }

    async fn open_form(&self, asker: Caller, source: Option<String>, mut form: Form, wanted: Wanted) -> Result<Ticket> {
        let Caller { person, origin, .. } = asker;
        let Some(chat) = self.work().chat(&origin).cloned() else { return Ok(Ticket::done(false)) };
        if !chat.has_forms() || !chat.attended() {
            return refused(match form.confirm {
                true => format!("{} This needs a confirmation, which cannot be asked for here: say it with `--yes`.", form.title),
                false => format!("{} This cannot be asked for here: use a terminal, or a surface with forms.", form.title),
            });
        }
        let (ended, end) = oneshot::channel();
        let pending = Pending { form: form.clone(), wanted, person, origin: origin.clone(), source, ended };
        let id = self.0.forms.with(|open| {
            if open.pending.len() >= OPEN {
                return None;
            }
            open.number += 1;
            let id = FormId(format!("f{}", open.number));
            let mut pending = pending;
            pending.form.id = id.clone();
            open.pending.insert(id.clone(), pending);
            Some(id)
        });
        let Some(id) = id else { return refused("Too many forms are open. Answer one of them first.") };
        form.id = id.clone();
        chat.form(&origin, &form).await;
        let engine = self.clone();
        let expires = tokio::spawn(async move {
            tokio::time::sleep(FORM_LIFE).await;
            engine.drop_form(&id, "Nobody answered in time; nothing was done.").await;
        });
        let ended = async move {
            let ok = end.await.unwrap_or(false);
            expires.abort();
            ok
        };
        Ok(Ticket { turn: None, asks: true, ended: ended.boxed() })
    }

    /// What is wrong with a form's values, by field, before it is answered with them; for surfaces that can say it in the form.
    pub async fn check_form(&self, id: &FormId, values: &Values) -> Option<(String, String)> {
        let (command, person) = match self.0.forms.with(|open| open.pending.get(id)?.command(values))? {
            Ok(found) => found,
            Err(fault) => return Some(fault),
        };
        let Command::Project(ProjectCommand::Create { name, .. }) = command else { return None };
        let own = self.work().store().projects_of(&person).await.ok()?;
        let taken = own.iter().any(|project| project.owner == person && project.name == name);
        taken.then(|| ("name".to_owned(), format!("You already have a project `{name}`. Choose another name.")))
    }

    /// `None`: it was cancelled.
    pub(super) async fn answer_form(&self, origin: Origin, id: FormId, values: Option<Values>) -> Result<Ticket> {
        let caller = self.caller(&origin).await?;
        let known = self.0.forms.with(|o| o.pending.get(&id).map(|p| (p.person == caller.person, p.form.clone())));
        let form = match known {
            Some((true, form)) => form,
            Some((false, _)) => return refused(format!("The form `{id}` was opened for somebody else.")),
            None => return refused(format!("The form `{id}` is not open any longer. Send its command again.")),
        };
        let Some(values) = values else {
            self.drop_form(&id, "Cancelled; nothing was done.").await;
            return Ok(Ticket::done(true));
        };
        check(&form, &values)?;
        let Some(pending) = self.0.forms.take(&id) else {
            return refused(format!("The form `{id}` is not open any longer. Send its command again."));
        };
        let result = match pending.wanted {
            Wanted::Values(command, mut kept) => {
                kept.0.extend(values.0);
                self.command(pending.origin.clone(), pending.source, *command, Some(kept)).await
            }
            Wanted::Arguments(path) => match gaggle_commands::parse_options(&path, &options(&values)) {
                Ok(command) => self.command(pending.origin.clone(), pending.source, command, None).await,
                Err(usage) => refused(usage.to_string()),
            },
        };
        let ticket = match result {
            Ok(ticket) => ticket,
            Err(error) => {
                self.reply(&pending.origin, error.reply()).await;
                Ticket::done(false)
            }
        };
        // Both inputs end with what the command came to.
        let ended = pending.ended;
        let shared = async move {
            let ok = ticket.ended().await;
            let _ = ended.send(ok);
            ok
        }
        .shared();
        tokio::spawn(shared.clone());
        Ok(Ticket { turn: None, asks: false, ended: shared.boxed() })
    }

    async fn drop_form(&self, id: &FormId, why: &str) {
        if let Some(pending) = self.0.forms.take(id) {
            self.reply(&pending.origin, Reply { notice: Notice::Refused, ..Reply::refused(why) }).await;
            let _ = pending.ended.send(false);
        }
    }

    /// No form can be filled in on this surface any longer.
    pub async fn cancel_forms(&self, surface: &str) {
        let ids: Vec<FormId> = self
            .0
            .forms
            .with(|o| o.pending.iter().filter(|(_, p)| p.origin.actor.surface == surface).map(|(id, _)| id.clone()).collect());
        for id in ids {
            self.drop_form(&id, "The input ended before the form was answered; nothing was done.").await;
        }
    }
}

/// A name as people read it: `new_name` is `New name`, `cpu` is `CPU`.
fn label(name: &str) -> String {
    let words = name.split(['_', '-']).map(|word| match word {
        "cpu" | "id" | "tls" | "url" => word.to_uppercase(),
        "cmd" => "command".to_owned(),
        _ => word.to_owned(),
    });
    let text = words.collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn is_empty(values: &Values, name: &str) -> bool {
    values.0.get(name).is_none_or(|v| v.expose_secret().trim().is_empty())
}

fn options(values: &Values) -> Vec<OptionValue> {
    let filled = values.0.iter().filter(|(_, value)| !value.expose_secret().trim().is_empty());
    filled.map(|(name, value)| OptionValue::new(name.clone(), value.expose_secret())).collect()
}

fn check(form: &Form, values: &Values) -> Result<()> {
    if let Some(unknown) = values.0.keys().find(|k| !form.fields.iter().any(|f| f.name == **k)) {
        let unknown: String = unknown.chars().take(40).collect();
        let known: Vec<String> = form.fields.iter().map(|f| format!("`{}`", f.name)).collect();
        let has = if known.is_empty() { "no fields".to_owned() } else { known.join(", ") };
        return refused(format!("The form has no field `{unknown}`; it has {has}. It is still open."));
    }
    for field in &form.fields {
        let value = values.0.get(&field.name).map(|v| v.expose_secret()).unwrap_or_default();
        if field.required && value.trim().is_empty() {
            return refused(format!("The field `{}` is needed. The form is still open.", field.name));
        }
        if !field.options.is_empty() && !value.is_empty() && !field.options.iter().any(|o| o == value) {
            return refused(format!(
                "The field `{}` takes one of {}. The form is still open.",
                field.name,
                field.options.join(", ")
            ));
        }
    }
    Ok(())
}
