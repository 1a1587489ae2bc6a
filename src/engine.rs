//! The pipeline: an input is parsed once, authorized once, audited, handled and answered. Knows no platform.
//!
//! Invariant: [`Engine::submit`] returns once the input is accepted: a message is then durable, and what takes longer goes on by
//! itself and is awaited through the [`Ticket`].

mod forms;
mod said;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gaggle_commands::{Command, OptionValue, Visibility};

use crate::access::{self, Authorized, Caller};
use crate::error::{Error, Result};
use crate::handlers::{self, Context, Outcome};
use crate::model::{Action, Attachment, FormId, Message, Notice, Origin, Reply, Said, Timestamp, TurnId, TurnState, Values};
use crate::store::AuditEntry;
use crate::work::{TurnTicket, Work};

/// What a surface hands over, already verified and acknowledged by it.
#[derive(Debug)]
pub struct Inbound {
    pub origin: Origin,
    pub input: Input,
    /// The surface's key of it, if it keeps what came until that is done: a turn takes it out of the inbox.
    pub source: Option<String>,
}

#[derive(Debug)]
pub enum Input {
    Text(String),
    /// A message with what came with it.
    Message {
        text: String,
        attachments: Vec<(Attachment, Vec<u8>)>,
        /// It may open a session where there is none yet.
        starts: bool,
    },
    /// Another text for a message that waits still.
    Edit {
        source: String,
        text: String,
    },
    /// The message is gone: if it waits still, it is not to be answered.
    Withdraw {
        source: String,
    },
    /// Their account was closed: what waits of theirs is not answered any more.
    Gone,
    Feedback {
        turn: TurnId,
        good: bool,
    },
    /// From platforms with structured commands.
    Options {
        path: String,
        values: Vec<OptionValue>,
    },
    Form {
        form: FormId,
        values: Values,
    },
    CancelForm {
        form: FormId,
    },
}

/// An accepted input.
pub struct Ticket {
    /// The turn that answers it, if it is a message.
    pub turn: Option<TurnId>,
    /// It waits for a form, so it may take as long as a person likes.
    pub asks: bool,
    ended: BoxFuture<'static, bool>,
}

impl Ticket {
    /// Whether it succeeded, once all of it is done and shown.
    pub async fn ended(self) -> bool {
        self.ended.await
    }

    fn done(ok: bool) -> Self {
        Self { turn: None, asks: false, ended: std::future::ready(ok).boxed() }
    }

    fn turn(ticket: TurnTicket) -> Self {
        Self { turn: Some(ticket.turn), asks: false, ended: ticket.ended().map(|state| state == TurnState::Done).boxed() }
    }
}

/// Projects that a message without one is offered.
const CHOICES: usize = 8;

#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    context: Context,
    forms: forms::Forms,
}

impl Engine {
    pub fn new(context: Context) -> Self {
        Self(Arc::new(Inner { context, forms: forms::Forms::default() }))
    }

    pub fn work(&self) -> &Work {
        &self.0.context.work
    }

    /// Takes an input. What it leads to is shown on the surface that it came from.
    pub async fn submit(&self, inbound: Inbound) -> Ticket {
        let origin = inbound.origin.clone();
        metrics::counter!("gaggle_inputs_total", "surface" => origin.actor.surface.clone()).increment(1);
        match self.accept(inbound).await {
            Ok(ticket) => ticket,
            Err(error) => {
                self.reply(&origin, error.reply()).await;
                Ticket::done(false)
            }
        }
    }

    async fn accept(&self, inbound: Inbound) -> Result<Ticket> {
        let Inbound { origin, input, source } = inbound;
        let command = match input {
            Input::Message { text, attachments, starts } => {
                return Box::pin(self.message(origin, source, text, attachments, starts)).await;
            }
            Input::Edit { source, text } => return Box::pin(self.edit(origin, &source, text)).await,
            Input::Withdraw { source } => return Box::pin(self.withdraw(&source)).await,
            Input::Gone => return Box::pin(self.gone(origin)).await,
            Input::Feedback { turn, good } => return Box::pin(self.feedback(origin, turn, good)).await,
            Input::Form { form, values } => return Box::pin(self.answer_form(origin, form, Some(values))).await,
            Input::CancelForm { form } => return Box::pin(self.answer_form(origin, form, None)).await,
            Input::Text(text) if !gaggle_commands::is_command(&text) => {
                return Box::pin(self.message(origin, source, text, Vec::new(), false)).await;
            }
            Input::Text(text) => match gaggle_commands::parse_text(&text) {
                Err(usage) if !usage.missing.is_empty() && self.asks_for_arguments(&origin) => {
                    return Box::pin(self.ask_arguments(origin, source, &text, usage)).await;
                }
                other => other,
            },
            Input::Options { path, values } => gaggle_commands::parse_options(&path, &values),
        };
        match command {
            Ok(command) => self.command(origin, source, command, None).await,
            Err(usage) => {
                let caller = self.caller(&origin).await?;
                let path = usage.path.clone().unwrap_or_default();
                self.audit(&caller, format!("/{path}"), "refused: not understood".into());
                Err(Error::Refused(usage.to_string()))
            }
        }
    }

    async fn caller(&self, origin: &Origin) -> Result<Caller> {
        let (person, here) = self.work().store().person_in(&origin.actor, &origin.conversation.channel()).await?;
        let role = self.0.context.policy.role(&person, &origin.actor);
        let executes = self.0.context.policy.executes(&person, &origin.actor);
        Ok(Caller { person, role, executes, here, origin: origin.clone() })
    }

    async fn message(
        &self,
        origin: Origin,
        source: Option<String>,
        text: String,
        attachments: Vec<(Attachment, Vec<u8>)>,
        starts: bool,
    ) -> Result<Ticket> {
        if text.trim().is_empty() && attachments.is_empty() {
            return Err(Error::Refused("The message is empty. Write something, or see what you can type with `/help`.".into()));
        }
        let caller = self.caller(&origin).await?;
        let (kept, bytes) = attachments.into_iter().unzip();
        let message = Message { attachments: kept, ..Message::new(caller.person.clone(), text) };
        let said = Said { message, bytes, source };
        let store = self.work().store();
        if starts && store.thread_at(&origin.conversation).await?.is_none() {
            return self.first_message(caller, said).await;
        }
        let found = match access::authorize_message(store, &caller).await {
            Ok((session, project)) => handlers::may_run(&self.0.context, &caller, &project).await.map(|()| session),
            Err(error) => Err(error),
        };
        let session = match found {
            Ok(session) => session,
            Err(error) => {
                self.audit(&caller, "message".into(), format!("refused: {error}"));
                return Err(error);
            }
        };
        self.audit(&caller, format!("message {}", session.id), "allowed".into());
        let ticket = self.work().say(&session, origin, said).await?;
        Ok(Ticket::turn(ticket))
    }

    /// A message where no session is yet, for the project that goes without saying.
    async fn first_message(&self, caller: Caller, said: Said) -> Result<Ticket> {
        let found = match access::default_project(self.work().store(), &caller).await {
            Ok(project) => handlers::may_run(&self.0.context, &caller, &project).await.map(|()| project),
            Err(error) => Err(error),
        };
        let project = match found {
            Ok(project) => project,
            Err(error) => {
                self.audit(&caller, "message".into(), format!("refused: {error}"));
                let text = said.message.text.trim();
                // What came with a message would be lost with a button.
                if caller.here.is_some() || caller.role.is_none() || text.is_empty() || !said.bytes.is_empty() {
                    return Err(error);
                }
                let names = access::choices(self.work().store(), &caller).await?;
                let names = names.iter().filter(|_| names.len() > 1).take(CHOICES);
                let actions = names.map(|name| Action::new(name, format!("/ask {name} {text}"))).collect();
                self.reply(&caller.origin, Reply { actions, ..error.reply() }).await;
                return Ok(Ticket::done(false));
            }
        };
        self.audit(&caller, format!("message to {}", project.name), "allowed".into());
        Ok(Ticket::turn(self.work().ask(&project, caller.origin, said).await?))
    }

    async fn command(&self, origin: Origin, source: Option<String>, command: Command, values: Option<Values>) -> Result<Ticket> {
        let caller = self.caller(&origin).await?;
        let summary = format!("/{}", command.summary().trim_start_matches('/'));
        let mut call = match access::authorize(self.work().store(), &self.0.context.policy, caller.clone(), command, values).await
        {
            Ok(call) => call,
            Err(error) => {
                self.audit(&caller, summary, format!("refused: {error}"));
                return Err(error);
            }
        };
        call.source = source;
        self.audit(&caller, summary.clone(), "allowed".into());
        if call.values.is_none()
            && let Some(form) = handlers::form(&self.0.context, &call)?
        {
            return Box::pin(self.ask_form(call, form)).await;
        }
        // What opens a turn is accepted once that is durable; the rest goes on by itself.
        if handlers::opens_turn(&call.command) {
            return match Box::pin(handlers::handle(&self.0.context, call)).await? {
                Outcome::Turn(ticket) => Ok(Ticket::turn(ticket)),
                Outcome::Ask(more) => Box::pin(self.ask_more(*more)).await,
                Outcome::Reply(reply) => {
                    let ok = reply.notice == Notice::Ok;
                    self.reply(&origin, reply).await;
                    Ok(Ticket::done(ok))
                }
            };
        }
        Ok(self.spawn(call, summary))
    }

    fn spawn(&self, call: Authorized, summary: String) -> Ticket {
        let engine = self.clone();
        let caller = call.caller.clone();
        let asks = call.command.entry().asks;
        let private = call.command.entry().visibility == Visibility::Private;
        let (told, origin) = (self.clone(), caller.origin.clone());
        let task = tokio::spawn(async move {
            let result = handlers::handle(&engine.0.context, call).await;
            let reply = match result {
                Ok(Outcome::Reply(reply)) => Reply { private, ..reply },
                Ok(Outcome::Turn(ticket)) => return ticket.ended().await == TurnState::Done,
                Ok(Outcome::Ask(more)) => match Box::pin(engine.ask_more(*more)).await {
                    Ok(ticket) => return ticket.ended().await,
                    Err(error) => error.reply(),
                },
                Err(error) => {
                    let error = error.told();
                    engine.audit(&caller, summary, format!("failed: {error}"));
                    error.reply()
                }
            };
            let ok = reply.notice == crate::model::Notice::Ok;
            engine.reply(&caller.origin, reply).await;
            ok
        });
        Ticket {
            turn: None,
            asks,
            ended: async move {
                match task.await {
                    Ok(ok) => ok,
                    Err(error) => {
                        told.reply(&origin, Error::Broken(error.into()).reply()).await;
                        false
                    }
                }
            }
            .boxed(),
        }
    }

    async fn reply(&self, to: &Origin, mut reply: Reply) {
        // What did not work is nobody else's business.
        reply.private |= reply.notice != Notice::Ok;
        if let Some(chat) = self.work().chat(to) {
            chat.reply(to, reply).await;
        }
    }

    /// Hands an entry to the store without waiting for it.
    fn audit(&self, caller: &Caller, what: String, outcome: String) {
        let entry = AuditEntry {
            at: Timestamp::now(),
            person: caller.person.clone(),
            conversation: caller.origin.conversation.0.clone(),
            what,
            outcome,
        };
        let work = self.work().clone();
        let mut kept = Box::pin(async move {
            let _ = work.store().audit(entry).await.map_err(Error::told);
        });
        // Begun here and only awaited elsewhere: the writer gets the entries in the order in which things happened.
        let mut once = std::task::Context::from_waker(std::task::Waker::noop());
        if kept.as_mut().poll(&mut once).is_pending() {
            self.work().spawn(kept);
        }
    }
}

/// How long a form waits for its answer.
pub const FORM_LIFE: Duration = Duration::from_secs(15 * 60);
