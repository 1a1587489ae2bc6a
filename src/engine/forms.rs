//! Forms and confirmations: a command that waits for what it still needs. It is authorized again when the answer comes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use gaggle_commands::Command;
use secrecy::ExposeSecret as _;
use tokio::sync::oneshot;

use super::{Engine, FORM_LIFE, Ticket};
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::{Form, FormId, Notice, Origin, PersonId, Reply, Values};

/// Forms that may be open at once; the next is refused.
const OPEN: usize = 1000;

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
    command: Command,
    person: PersonId,
    origin: Origin,
    /// Ends the input that asked for the form.
    ended: oneshot::Sender<bool>,
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
    pub(super) async fn ask_form(&self, call: Authorized, mut form: Form) -> Result<Ticket> {
        let origin = call.caller.origin.clone();
        let Some(chat) = self.work().chat(&origin).cloned() else { return Ok(Ticket::done(false)) };
        if !chat.has_forms() || !chat.attended() {
            return refused(match form.confirm {
                true => format!("{} This needs a confirmation, which cannot be asked for here: say it with `--yes`.", form.title),
                false => format!("{} This cannot be asked for here: use a terminal, or a surface with forms.", form.title),
            });
        }
        let (ended, end) = oneshot::channel();
        let pending =
            Pending { form: form.clone(), command: call.command, person: call.caller.person, origin: origin.clone(), ended };
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
        Ok(Ticket { turn: None, ended: ended.boxed() })
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
        let result = self.command(pending.origin.clone(), pending.command, Some(values)).await;
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
        Ok(Ticket { turn: None, ended: shared.boxed() })
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
