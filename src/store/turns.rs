//! Turns: recorded before they are sent, closed once, never reopened.
//!
//! Invariant: a turn is in `open_turns` exactly while its state is not a last one.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redb::WriteTransaction;

use super::Store;
use super::table::{self, ATTACHMENTS, OPEN_TURNS, PROJECTS, Read as _, SESSION_TURNS, SESSIONS, TURN_TEXT, TURNS};
use crate::error::{Result, refused};
use crate::model::{Origin, PersonId, PromptRef, Said, Session, SessionId, Timestamp, Turn, TurnId, TurnState};

impl Store {
    /// Keeps a message that is to be answered.
    pub async fn create_turn(&self, session: &Session, origin: Origin, said: Said) -> Result<Turn> {
        let (id, project) = (session.id, session.project.clone());
        self.write(move |tx| {
            super::projects::gone(tx, &project)?;
            let Some(mut session) = tx.fetch(&SESSIONS, &id)? else {
                return refused("This session was deleted. Start another with `/ask NAME MESSAGE`.");
            };
            create(tx, &mut session, origin, said)
        })
        .await
    }

    /// Records that the turn is about to be sent to the agent as `prompt`.
    pub async fn send_turn(&self, id: TurnId, prompt: PromptRef, started: Timestamp) -> Result<()> {
        self.write(move |tx| {
            let Some(mut turn) = tx.fetch(&TURNS, &id)? else { return Ok(()) };
            if let Some(mut session) = tx.fetch(&SESSIONS, &turn.session)?
                && session.agent_session.as_ref() != Some(&prompt.session)
            {
                session.agent_session = Some(prompt.session.clone());
                table::put(tx, &SESSIONS, &session.id, &session)?;
            }
            turn.prompt = Some(prompt);
            turn.started = Some(started);
            turn.state = TurnState::Working;
            table::put(tx, &TURNS, &id, &turn)
        })
        .await
    }

    /// Records that the agent has confirmed to have taken it.
    pub async fn confirm_turn(&self, id: TurnId) -> Result<()> {
        self.change_open(id, |turn| {
            if let Some(prompt) = &mut turn.prompt {
                prompt.sent = true;
            }
        })
        .await
    }

    /// Records how the turn will end, before the agent is told to stop.
    pub async fn cancel_turn(&self, id: TurnId, state: TurnState, reason: Option<String>) -> Result<()> {
        self.change_open(id, move |turn| {
            if let Some(prompt) = &mut turn.prompt {
                prompt.cancelled = Some((state, reason));
            }
        })
        .await
    }

    async fn change_open(&self, id: TurnId, change: impl FnOnce(&mut Turn) + Send + 'static) -> Result<()> {
        self.write(move |tx| {
            if tx.fetch(&OPEN_TURNS, &id)?.is_some()
                && let Some(mut turn) = tx.fetch(&TURNS, &id)?
            {
                change(&mut turn);
                table::put(tx, &TURNS, &id, &turn)?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps a further piece of an open turn's text, so that it can be shown if the turn is interrupted.
    pub async fn keep_text(&self, id: TurnId, at: u64, piece: String) -> Result<()> {
        self.write(move |tx| match tx.fetch(&OPEN_TURNS, &id)? {
            Some(_) => table::put(tx, &TURN_TEXT, &(id, at), &piece),
            None => Ok(()),
        })
        .await
    }

    /// Closes a turn with its whole text; its project was used until now. Returns whether it was open: only then may its last state be told.
    pub async fn close_turn(&self, turn: Turn) -> Result<bool> {
        self.write(move |tx| {
            if !table::remove(tx, &OPEN_TURNS, &turn.id)? {
                return Ok(false);
            }
            for (key, _) in tx.scan(&TURN_TEXT, &turn.id.0.to_be_bytes())? {
                table::remove(tx, &TURN_TEXT, &key)?;
            }
            table::put(tx, &TURNS, &turn.id, &turn)?;
            if turn.is_taken_back() {
                for (key, _) in tx.scan(&ATTACHMENTS, &turn.id.0.to_be_bytes())? {
                    table::remove(tx, &ATTACHMENTS, &key)?;
                }
            }
            if let Some(mut project) = tx.fetch(&PROJECTS, &turn.project)? {
                project.used = Timestamp::now();
                table::put(tx, &PROJECTS, &turn.project, &project)?;
            }
            Ok(true)
        })
        .await
    }

    /// What an earlier program left open, in the order it was asked, each with the text that was kept of it.
    pub async fn open_turns(&self) -> Result<Vec<Turn>> {
        self.read(|tx| {
            let mut turns = Vec::new();
            for (id, _) in tx.scan(&OPEN_TURNS, &[])? {
                if let Some(mut turn) = tx.fetch(&TURNS, &id)? {
                    turn.text = tx.scan(&TURN_TEXT, &id.0.to_be_bytes())?.into_iter().map(|(_, piece)| piece).collect();
                    turns.push(turn);
                }
            }
            Ok(turns)
        })
        .await
    }

    /// The attachments of a turn's message, as base64, in their order.
    pub async fn attachments(&self, id: TurnId) -> Result<Vec<String>> {
        self.read(move |tx| Ok(tx.scan(&ATTACHMENTS, &id.0.to_be_bytes())?.into_iter().map(|(_, data)| data).collect())).await
    }

    /// Changes the text of a message that waits still. `false`: it does not.
    pub async fn edit_turn(&self, id: TurnId, text: String) -> Result<bool> {
        self.write(move |tx| match tx.fetch(&TURNS, &id)? {
            Some(mut turn) if turn.prompt.is_none() && !turn.state.is_last() => {
                turn.message.text = text;
                table::put(tx, &TURNS, &id, &turn)?;
                Ok(true)
            }
            _ => Ok(false),
        })
        .await
    }

    /// Keeps what somebody thinks of an answer, in place of what they thought before.
    pub async fn judge_turn(&self, id: TurnId, person: PersonId, good: bool) -> Result<()> {
        self.write(move |tx| match tx.fetch(&TURNS, &id)? {
            Some(mut turn) => {
                turn.feedback.retain(|(who, _)| *who != person);
                turn.feedback.push((person, good));
                table::put(tx, &TURNS, &id, &turn)
            }
            None => Ok(()),
        })
        .await
    }

    /// A session's turns, oldest first.
    pub async fn turns_of(&self, session: SessionId) -> Result<Vec<Turn>> {
        self.read(move |tx| {
            let ids = tx.scan(&SESSION_TURNS, &session.0.to_be_bytes())?;
            ids.into_iter().filter_map(|((_, id), ())| tx.fetch(&TURNS, &id).transpose()).collect()
        })
        .await
    }

    /// The newest turn of a session.
    pub async fn last_turn(&self, session: SessionId) -> Result<Option<Turn>> {
        self.look(|tx| {
            let mut last = None;
            tx.visit(&SESSION_TURNS, &session.0.to_be_bytes(), true, |(_, id), ()| {
                last = Some(id);
                ControlFlow::Break(())
            })?;
            last.map_or(Ok(None), |id| tx.fetch(&TURNS, &id))
        })
    }
}

/// Keeps a turn and its session, which is used now.
pub fn create(tx: &WriteTransaction, session: &mut Session, origin: Origin, said: Said) -> Result<Turn> {
    let now = Timestamp::now();
    let Said { mut message, bytes, source } = said;
    session.several |= message.author != session.opened_by;
    let name = message.name.take().unwrap_or_else(|| origin.actor.name.clone());
    message.name = session.several.then_some(name).filter(|name| !name.is_empty());
    session.used = now;
    let turn = Turn {
        id: TurnId(table::next(tx, "turn")?),
        session: session.id,
        project: session.project.clone(),
        origin,
        message,
        state: TurnState::Waiting,
        reason: None,
        text: String::new(),
        tools: Vec::new(),
        notes: Vec::new(),
        approvals: Vec::new(),
        usage: None,
        created: now,
        started: None,
        ended: None,
        prompt: None,
        source,
        feedback: Vec::new(),
    };
    for (at, bytes) in (0..).zip(bytes) {
        table::put(tx, &ATTACHMENTS, &(turn.id, at), &BASE64_STANDARD.encode(bytes))?;
    }
    if let Some(source) = &turn.source {
        super::inbox::led_to(tx, source, turn.id)?;
    }
    table::put(tx, &SESSIONS, &session.id, session)?;
    table::put(tx, &TURNS, &turn.id, &turn)?;
    table::put(tx, &OPEN_TURNS, &turn.id, &session.id)?;
    table::put(tx, &SESSION_TURNS, &(session.id, turn.id), &())?;
    Ok(turn)
}
