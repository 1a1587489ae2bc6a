//! Forms as Discord's modals: five fields on a page, the pages one after the other.
//!
//! Invariant: no value of a secret field is ever put into a modal or a message.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::{Ask, State};
use super::payload::Attachment;
use super::render::{Message, parts};
use super::{Discord, markdown};
use crate::chat::desk::Handed;
use crate::model::{Field, Form, FormId, Origin, Style, Values};

const PAGE: usize = 5;
const TITLE: usize = 45;
const LABEL: usize = 45;
const HINT: usize = 100;
const LONGEST: usize = 4_000;
const MEMORY: Duration = Duration::from_secs(30 * 60);

pub fn pages(form: &Form) -> usize {
    form.fields.len().div_ceil(PAGE).max(1)
}

/// A page of it, with what was filled in before.
pub fn modal(form: &Form, page: usize, known: &Values) -> Value {
    let of = pages(form);
    let title = markdown::shown(&form.title).replace(['*', '`'], "");
    let title =
        if of > 1 { format!("{} ({}/{of})", parts::label(&title, TITLE - 8), page + 1) } else { parts::label(&title, TITLE) };
    let rows: Vec<Value> = form.fields.iter().skip(page * PAGE).take(PAGE).map(|field| input(field, known)).collect();
    json!({ "custom_id": format!("form:{}:{page}", form.id.0), "title": title, "components": rows })
}

/// The form and page of a modal's id.
pub fn page_of(id: &str) -> (FormId, usize) {
    let rest = id.strip_prefix("form:").unwrap_or(id);
    let (form, page) = rest.split_once(':').unwrap_or((rest, "0"));
    (FormId(form.to_owned()), page.parse().unwrap_or(0))
}

fn input(field: &Field, known: &Values) -> Value {
    let long = field.long || (field.secret && field.options.is_empty());
    let mut input = json!({
        "type": 4,
        "custom_id": field.name,
        "style": if long { 2 } else { 1 },
        "label": parts::label(&field.label, LABEL),
        "required": field.required && !field.switch,
        "max_length": LONGEST,
    });
    let mut hint = field.hint.clone().unwrap_or_default();
    if field.switch {
        hint = "true or false".to_owned();
    } else if !field.options.is_empty() {
        hint = format!("One of: {}", field.options.join(", "));
    } else if field.secret {
        hint = "Discord shows what is typed here to nobody else, but does not hide it on your screen.".to_owned();
    }
    if !hint.is_empty() {
        input["placeholder"] = json!(parts::label(&hint, HINT));
    }
    let before = known.0.get(&field.name).filter(|_| !field.secret).map(|value| value.expose_secret().to_owned());
    if let Some(value) =
        before.or_else(|| field.value.clone()).filter(|value| !value.is_empty() && value.chars().count() <= LONGEST)
    {
        input["value"] = json!(value);
    }
    json!({ "type": 1, "components": [input] })
}

/// What was filled in of forms that are not complete. Bounded in time.
#[derive(Default)]
pub struct Pages(Mutex<HashMap<FormId, (Instant, Values)>>);

impl Pages {
    fn lock(&self) -> MutexGuard<'_, HashMap<FormId, (Instant, Values)>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (born, _)| born.elapsed() < MEMORY);
        all
    }

    /// All that is filled in with these, and the page that is still missing.
    pub fn fill(&self, form: &Form, page: usize, values: Vec<(String, SecretString)>) -> (Values, Option<usize>) {
        let mut all = self.lock().remove(&form.id).map(|(_, values)| values).unwrap_or_default();
        for (name, value) in values {
            // A field that was left empty was not filled in.
            if value.expose_secret().is_empty() {
                all.0.remove(&name);
            } else {
                all.0.insert(name, value);
            }
        }
        let next = (page + 1 < pages(form)).then_some(page + 1);
        if next.is_some() {
            self.keep(&form.id, Values(all.0.clone()));
        }
        (all, next)
    }

    pub fn keep(&self, form: &FormId, values: Values) {
        self.lock().insert(form.clone(), (Instant::now(), values));
    }

    pub fn values(&self, form: &FormId) -> Values {
        self.lock().get(form).map(|(_, values)| Values(values.0.clone())).unwrap_or_default()
    }
}

impl Discord {
    /// Fills a form in with what came with its command. `false`: there was nothing of the kind.
    pub(super) fn fill_given(&self, ask: &mut Ask, to: &Origin, form: &Form) -> bool {
        let Some(field) = form.fields.iter().find(|field| field.takes_file()) else { return false };
        let Some(value) = ask.given.take() else { return false };
        let said = form.fields.iter().filter_map(|field| Some((field.name.clone(), SecretString::from(field.value.clone()?))));
        let mut values = Values(said.collect());
        values.0.insert(field.name.clone(), value);
        let (discord, to, input) = (self.clone(), to.clone(), Handed::Fill(form.id.clone(), values));
        // The one that asks for it waits until it is asked for.
        tokio::spawn(async move { discord.desk().take(to, input, None).await.ended.await });
        true
    }

    /// What stands in a file, as the value of a field. `Err`: why it cannot be one.
    pub(super) async fn value_in(&self, file: &Attachment) -> Result<SecretString, &'static str> {
        let most = self.options().file_limit;
        if file.size > most as u64 {
            return Err("The file is too large.");
        }
        let bytes = self.rest().download(&file.url, most).await.map_err(|_| "The file could not be read from Discord.")?;
        String::from_utf8(bytes.to_vec()).map(SecretString::from).map_err(|_| "The file is no text.")
    }

    /// A modal cannot follow a modal: a button leads to the next page.
    pub(super) async fn ask_page(&self, ask: &mut Ask, form: &Form, page: usize) {
        let of = pages(form);
        let button =
            parts::named(&format!("Page {} of {of}", page + 1), &format!("form:page:{}:{page}", form.id.0), Style::Primary);
        let cancel = parts::named("Cancel", &format!("form:no:{}", form.id.0), Style::Plain);
        let content = format!("Page {page} of {of} is kept. Go on with the next one.");
        let message = Message { content, components: vec![parts::row(&[button, cancel])], ..Message::default() };
        self.say(ask, true, &message).await;
    }

    pub(super) async fn open_page(&self, ask: &mut Ask, form: &Form, page: usize) -> bool {
        let modal = modal(form, page, &self.pages().values(&form.id));
        self.first(ask, json!({ "type": 9, "data": modal }), State::Said { private: true }).await
    }

    /// What is wrong with a form, and the way back into it.
    pub(super) async fn mend(&self, ask: &mut Ask, form: &Form, field: &str, sentence: &str) {
        let page = form.fields.iter().position(|f| f.name == field).unwrap_or(0) / PAGE;
        let button = parts::named("Correct it…", &format!("form:page:{}:{page}", form.id.0), Style::Primary);
        let cancel = parts::named("Cancel", &format!("form:no:{}", form.id.0), Style::Plain);
        let content = format!("⚠️ {sentence}");
        let message = Message { content, components: vec![parts::row(&[button, cancel])], ..Message::default() };
        self.say(ask, true, &message).await;
    }
}
