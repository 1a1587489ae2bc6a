//! Sessions, the threads that they are held in, and the current thread of a conversation.

use std::ops::ControlFlow;

use redb::WriteTransaction;

use super::Store;
use super::table::{
    self, APPROVALS, ATTACHMENTS, CURRENT, DRAFTS, OPEN_APPROVALS, OPEN_TURNS, PROJECT_SESSIONS, Read as _, SESSION_TURNS,
    SESSIONS, THREADS, TURN_TEXT, TURNS,
};
use crate::error::{Result, refused};
use crate::model::{ConversationId, Origin, ProjectId, Said, Session, SessionId, Thread, Timestamp, Turn};

/// Where a session is held.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a thread that the surface opened.
    Thread(ConversationId),
    /// In a new numbered one below a conversation, which becomes the current one there.
    Below(ConversationId),
}

/// A session with what lists show of it.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    pub session: Session,
    pub turns: usize,
}

impl Store {
    /// Opens a session with its first message, in one step: there is never one without the other.
    pub async fn open_session(
        &self,
        project: &ProjectId,
        title: String,
        place: Place,
        origin: Origin,
        said: Said,
    ) -> Result<(Session, Turn)> {
        let project = project.clone();
        self.write(move |tx| {
            super::projects::gone(tx, &project)?;
            let now = Timestamp::now();
            let thread = match place {
                Place::Thread(thread) if tx.fetch(&THREADS, &thread)?.is_some() => {
                    return refused("This thread has a session already. Just write in it, or ask again in the channel.");
                }
                Place::Thread(thread) => thread,
                Place::Below(conversation) => number_thread(tx, &conversation)?,
            };
            let mut session = Session {
                id: SessionId(table::next(tx, "session")?),
                project: project.clone(),
                title,
                renamed: false,
                opened_by: said.message.author.clone(),
                several: false,
                created: now,
                used: now,
                thread: thread.clone(),
                agent_session: None,
            };
            table::put(tx, &PROJECT_SESSIONS, &(project.clone(), session.id), &())?;
            table::put(tx, &THREADS, &thread, &Thread { conversation: thread.clone(), session: session.id, project })?;
            let turn = super::turns::create(tx, &mut session, origin, said)?;
            Ok((session, turn))
        })
        .await
    }

    pub async fn session(&self, id: SessionId) -> Result<Option<Session>> {
        self.look(|tx| tx.fetch(&SESSIONS, &id))
    }

    pub async fn change_session(
        &self,
        id: SessionId,
        change: impl FnOnce(&mut Session) + Send + 'static,
    ) -> Result<Option<Session>> {
        self.write(move |tx| {
            let Some(mut session) = tx.fetch(&SESSIONS, &id)? else { return Ok(None) };
            change(&mut session);
            table::put(tx, &SESSIONS, &id, &session)?;
            Ok(Some(session))
        })
        .await
    }

    /// A project's sessions, newest first, at most `max`.
    pub async fn sessions_of(&self, project: &ProjectId, max: usize) -> Result<Vec<SessionSummary>> {
        let project = project.clone();
        self.read(move |tx| {
            let mut ids = Vec::new();
            tx.visit(&PROJECT_SESSIONS, &table::prefix(&project), true, |(_, id), ()| {
                ids.push(id);
                if ids.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some(session) = tx.fetch(&SESSIONS, &id)? {
                    let turns = tx.scan(&SESSION_TURNS, &id.0.to_be_bytes())?.len();
                    found.push(SessionSummary { session, turns });
                }
            }
            Ok(found)
        })
        .await
    }

    /// The session that was used last, of a project's newest ones.
    pub async fn last_session(&self, project: &ProjectId) -> Result<Option<Session>> {
        const LOOKED_AT: usize = 1_000;
        let project = project.clone();
        self.read(move |tx| {
            let mut ids = Vec::new();
            tx.visit(&PROJECT_SESSIONS, &table::prefix(&project), true, |(_, id), ()| {
                ids.push(id);
                if ids.len() < LOOKED_AT { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            let mut last: Option<Session> = None;
            for id in ids {
                if let Some(session) = tx.fetch(&SESSIONS, &id)?
                    && last.as_ref().is_none_or(|last| session.used > last.used)
                {
                    last = Some(session);
                }
            }
            Ok(last)
        })
        .await
    }

    pub async fn count_sessions(&self, project: &ProjectId) -> Result<usize> {
        let project = project.clone();
        self.read(move |tx| {
            let mut count = 0;
            tx.visit(&PROJECT_SESSIONS, &table::prefix(&project), false, |_, ()| {
                count += 1;
                ControlFlow::Continue(())
            })?;
            Ok(count)
        })
        .await
    }

    pub async fn remove_session(&self, id: SessionId) -> Result<()> {
        self.write(move |tx| match tx.fetch(&SESSIONS, &id)? {
            Some(session) => remove(tx, &session),
            None => Ok(()),
        })
        .await
    }

    /// The thread that is this conversation, or else the one that is current in it.
    pub async fn thread_at(&self, conversation: &ConversationId) -> Result<Option<Thread>> {
        self.look(|tx| {
            if let Some(thread) = tx.fetch(&THREADS, conversation)? {
                return Ok(Some(thread));
            }
            match tx.fetch(&CURRENT, conversation)? {
                Some(current) => tx.fetch(&THREADS, &current),
                None => Ok(None),
            }
        })
    }

    /// The threads that a surface opened below a conversation: those whose id is its own, `#` and a number.
    pub async fn threads_below(&self, conversation: &ConversationId) -> Result<Vec<(u64, Thread)>> {
        let start = format!("{conversation}#");
        self.read(move |tx| {
            let mut found: Vec<(u64, Thread)> = tx
                .scan(&THREADS, start.as_bytes())?
                .into_iter()
                .filter_map(|(id, thread)| Some((id.0[start.len()..].parse().ok()?, thread)))
                .collect();
            found.sort_by_key(|(n, _)| *n);
            Ok(found)
        })
        .await
    }

    pub async fn set_current(&self, conversation: &ConversationId, thread: &ConversationId) -> Result<()> {
        let (conversation, thread) = (conversation.clone(), thread.clone());
        self.write(move |tx| table::put(tx, &CURRENT, &conversation, &thread)).await
    }
}

/// A new number for a thread below a conversation, made the current one there.
fn number_thread(tx: &WriteTransaction, conversation: &ConversationId) -> Result<ConversationId> {
    let counter = format!("thread {conversation}");
    let number = tx.fetch(&table::META, &counter)?.unwrap_or(0) + 1;
    table::put(tx, &table::META, &counter, &number)?;
    let thread = ConversationId(format!("{conversation}#{number}"));
    table::put(tx, &CURRENT, conversation, &thread)?;
    Ok(thread)
}

/// Removes a session and everything below it.
pub fn remove(tx: &WriteTransaction, session: &Session) -> Result<()> {
    for ((_, turn), ()) in tx.scan(&SESSION_TURNS, &session.id.0.to_be_bytes())? {
        table::remove(tx, &SESSION_TURNS, &(session.id, turn))?;
        table::remove(tx, &OPEN_TURNS, &turn)?;
        table::remove(tx, &TURNS, &turn)?;
        table::remove(tx, &DRAFTS, &turn)?;
        for (key, _) in tx.scan(&ATTACHMENTS, &turn.0.to_be_bytes())? {
            table::remove(tx, &ATTACHMENTS, &key)?;
        }
        for (key, _) in tx.scan(&TURN_TEXT, &turn.0.to_be_bytes())? {
            table::remove(tx, &TURN_TEXT, &key)?;
        }
    }
    for (id, ()) in tx.scan(&OPEN_APPROVALS, &[])? {
        if tx.fetch(&APPROVALS, &id)?.is_some_and(|a| a.session == session.id) {
            table::remove(tx, &OPEN_APPROVALS, &id)?;
            table::remove(tx, &APPROVALS, &id)?;
        }
    }
    table::remove(tx, &THREADS, &session.thread)?;
    table::remove(tx, &PROJECT_SESSIONS, &(session.project.clone(), session.id))?;
    table::remove(tx, &SESSIONS, &session.id)?;
    Ok(())
}
