//! What came from people and is not answered yet, with what a surface needs for its answer; and the forms that are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Form, FormId, Notice, Reply};

/// What nobody asks for any more is forgotten.
const MEMORY: Duration = Duration::from_secs(45 * 60);
const MOST: usize = 20_000;

/// What was in the midst of being done when an earlier program ended may be refused now because it is done.
pub fn tell_again(reply: &mut Reply) {
    if reply.notice == Notice::Refused {
        reply.text.push_str("\n\nGaggle was restarted while it did this, so it may be done already.");
    }
}

/// Whoever answers one holds it.
type Shared<A> = Arc<tokio::sync::Mutex<A>>;

/// By the id of the input.
pub struct Asked<A> {
    asks: Mutex<HashMap<String, (Instant, Shared<A>)>>,
    forms: Mutex<HashMap<FormId, (Form, String, Instant)>>,
    /// Tells this program's forms from an earlier one's.
    mark: String,
}

impl<A> Default for Asked<A> {
    fn default() -> Self {
        let mut bytes = [0; 4];
        // Without randomness there is still the time.
        let mark = match getrandom::fill(&mut bytes) {
            Ok(()) => u32::from_be_bytes(bytes),
            Err(_) => crate::model::Timestamp::now().subsec_nanosecond().unsigned_abs(),
        };
        Self { asks: Mutex::default(), forms: Mutex::default(), mark: format!(".{mark:08x}") }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<A> Asked<A> {
    pub fn put(&self, input: &str, ask: A) {
        self.put_shared(input, Arc::new(tokio::sync::Mutex::new(ask)));
    }

    /// One that another input may have, too.
    pub fn put_shared(&self, input: &str, ask: Arc<tokio::sync::Mutex<A>>) {
        let mut asks = locked(&self.asks);
        if asks.len() >= MOST {
            asks.retain(|_, (born, ask)| ask.try_lock().is_ok() && born.elapsed() < MEMORY);
        }
        asks.insert(input.to_owned(), (Instant::now(), ask));
    }

    pub fn get(&self, input: &str) -> Option<Arc<tokio::sync::Mutex<A>>> {
        locked(&self.asks).get(input).map(|(_, ask)| ask.clone())
    }

    pub fn forget(&self, input: &str) {
        locked(&self.asks).remove(input);
    }

    /// Keeps a form that could not be opened at once, or may be opened again, with the input that waits for it.
    pub fn put_form(&self, form: Form, input: &str) {
        let mut forms = locked(&self.forms);
        forms.retain(|_, (.., since)| since.elapsed() < MEMORY);
        forms.insert(form.id.clone(), (form, input.to_owned(), Instant::now()));
    }

    /// What a form is called in what stays on a platform: whoever presses an earlier program's button does not answer this one's form.
    pub fn outer(&self, id: &FormId) -> FormId {
        FormId(format!("{}{}", id.0, self.mark))
    }

    /// Ours again. Another program's stays as it is, so that nobody knows it.
    pub fn inner(&self, id: &str) -> FormId {
        FormId(id.strip_suffix(&self.mark).unwrap_or(id).to_owned())
    }

    pub fn form(&self, id: &FormId) -> Option<Form> {
        locked(&self.forms).get(id).map(|(form, ..)| form.clone())
    }

    /// The input that waits for a form.
    pub fn input_of(&self, id: &FormId) -> Option<String> {
        locked(&self.forms).get(id).map(|(_, input, _)| input.clone())
    }
}
