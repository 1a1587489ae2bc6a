//! `/session …`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gaggle_commands::{Role, SessionCommand};

use super::{Context, project, show};
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::{Message, Reply, Said, Session, Turn, TurnId, TurnState};
use crate::work::TurnTicket;

/// Sessions in one list; older ones are still there, by their number.
const LISTED: usize = 200;
/// A history longer than this comes as a file.
const LONG: usize = 12_000;

pub async fn handle(context: &Context, call: &Authorized, command: &SessionCommand) -> Result<Reply> {
    match command {
        SessionCommand::List { .. } => list(context, call).await,
        SessionCommand::Show { .. } => show(context, call).await,
        SessionCommand::Stop { turn, .. } => stop(context, call, turn.map(TurnId)).await,
        SessionCommand::Delete { .. } => delete(context, call).await,
        SessionCommand::Export { .. } => export(context, call).await,
        SessionCommand::Rename { title, .. } => rename(context, call, title).await,
        SessionCommand::Retry { .. } => refused("Nothing was asked again."),
    }
}

async fn list(context: &Context, call: &Authorized) -> Result<Reply> {
    let project = call.project()?;
    let mut sessions = context.work.store().sessions_of(&project.id, LISTED).await?;
    let kept = sessions.len();
    sessions.retain(|found| call.caller.sees(&found.session, project));
    let is_all_seen = sessions.len() == kept;
    let data: Vec<_> = sessions.iter().map(|s| show::session_data(&s.session, project, s.turns)).collect();
    if sessions.is_empty() {
        return Ok(Reply::ok(format!("The project `{}` has no sessions yet. Start one with `/ask {0} MESSAGE`.", project.name))
            .with("sessions", data));
    }
    let mut rows = vec!["| Session | Thread | Title | Turns | Last used |".to_owned(), "|---|---|---|---|---|".to_owned()];
    for found in &sessions {
        let s = &found.session;
        let thread = show::thread_number(s).map(|n| n.to_string()).unwrap_or_default();
        rows.push(format!("| {} | {thread} | {} | {} | {} |", s.id, s.title.replace('|', "\\|"), found.turns, show::ago(s.used)));
    }
    let all = context.work.store().count_sessions(&project.id).await?;
    if all > kept && is_all_seen {
        rows.push(format!("\nThe newest {} of {all}.", sessions.len()));
    }
    Ok(Reply::ok(rows.join("\n")).quoting().with("sessions", data))
}

async fn show(context: &Context, call: &Authorized) -> Result<Reply> {
    let (session, project) = (call.session()?, call.project()?);
    let turns = context.work.store().turns_of(session.id).await?;
    let text = show::transcript(session, project, &turns);
    let reply = if text.len() > LONG {
        Reply::ok(format!("The history of session `{}` ({}) is in the file.", session.id, show::count(turns.len(), "turn")))
            .file(format!("{}.md", session.id), text.into_bytes())
    } else {
        Reply::ok(text).quoting()
    };
    Ok(reply
        .with("sessions", [show::session_data(session, project, turns.len())])
        .with("turns", turns.iter().map(show::turn_data).collect::<Vec<_>>()))
}

async fn export(context: &Context, call: &Authorized) -> Result<Reply> {
    let (session, project) = (call.session()?, call.project()?);
    let turns = context.work.store().turns_of(session.id).await?;
    let text = show::transcript(session, project, &turns);
    Ok(Reply::ok(format!("Session `{}` with {} as Markdown.", session.id, show::count(turns.len(), "turn")))
        .with("sessions", [show::session_data(session, project, turns.len())])
        .file(format!("{}-{}.md", project.name, session.id), text.into_bytes()))
}

async fn stop(context: &Context, call: &Authorized, turn: Option<TurnId>) -> Result<Reply> {
    let session = call.session()?;
    let stopped = match turn {
        Some(turn) => context.work.stop_turn(session.id, turn).await,
        None => context.work.stop(session.id).await,
    };
    match stopped {
        Some(TurnState::Stopped) => Ok(Reply::ok(format!("Stopped the answer in session `{}`.", session.id))),
        Some(state) => Ok(Reply::ok(format!("The answer in session `{}` had ended as {} already.", session.id, state.as_str()))),
        None if turn.is_some() => refused("That answer has ended already, so there is nothing of it to stop."),
        None => refused(format!("Nothing is being answered in session `{}`.", session.id)),
    }
}

pub async fn retry(context: &Context, call: &Authorized, turn: Option<TurnId>) -> Result<TurnTicket> {
    let session = call.session()?;
    project::may_run(context, &call.caller, call.project()?).await?;
    // Until it is kept, so that two at once do not ask twice.
    let _alone = context.work.asking_again().await;
    let asked = match turn {
        Some(turn) => that_turn(context, session, turn).await?,
        None => last_turn(context, session).await?,
    };
    if asked.is_taken_back() {
        return refused("That message was taken back, so it cannot be asked again.");
    }
    let bytes = context.work.store().attachments(asked.id).await?;
    let bytes = bytes.into_iter().map(|data| BASE64_STANDARD.decode(data).unwrap_or_default()).collect();
    // They are still the words of whoever wrote them, and asked for by whoever asks now.
    let message = Message {
        author: call.caller.person.clone(),
        name: asked.message.name.clone().or_else(|| Some(asked.origin.actor.name.clone())),
        again: asked.message.again.or(Some(asked.id)),
        ..asked.message
    };
    let said = Said { message, bytes, source: call.source.clone() };
    context.work.say(session, call.caller.origin.clone(), said).await
}

async fn last_turn(context: &Context, session: &Session) -> Result<Turn> {
    if context.work.is_busy(session.id) {
        return refused("An answer is under way in this session. Wait for it, or stop it with `/session stop`.");
    }
    match context.work.store().last_turn(session.id).await? {
        None => refused(format!("Nothing was asked in session `{}` yet.", session.id)),
        Some(last) if last.state == TurnState::Done => refused("The last answer in this session is complete. Just write again."),
        Some(last) => Ok(last),
    }
}

/// A turn that somebody points at: it may be asked again as long as nothing has come of that.
async fn that_turn(context: &Context, session: &Session, id: TurnId) -> Result<Turn> {
    let turns = context.work.store().turns_of(session.id).await?;
    let Some(turn) = turns.iter().find(|turn| turn.id == id) else {
        return refused("That question is gone, so it cannot be asked again.");
    };
    let first = turn.message.again.unwrap_or(id);
    let again = turns.iter().rfind(|other| other.id > id && other.message.again == Some(first));
    match again.map_or(turn.state, |again| again.state) {
        TurnState::Waiting | TurnState::Working => {
            refused("That question is being answered just now. Wait for the answer below.")
        }
        TurnState::Done if again.is_some() && turn.state != TurnState::Done => {
            refused("That question was asked again and answered already, further below.")
        }
        _ => Ok(turn.clone()),
    }
}

pub fn delete_question(session: &Session) -> String {
    format!("Delete the session `{}` (“{}”) and its history, for good?", session.id, session.title)
}

async fn delete(context: &Context, call: &Authorized) -> Result<Reply> {
    let (session, project) = (call.session()?, call.project()?);
    let owner = call.caller.role_on(project).is_some_and(|r| r >= Role::Owner);
    if !owner && session.opened_by != call.caller.person {
        return refused("Only who opened a session, or the project's owner, can delete it.");
    }
    context.work.end_session(session.id).await;
    context.work.store().remove_session(session.id).await?;
    if let Some(agent_session) = &session.agent_session {
        context.work.forget_session(project, agent_session).await;
    }
    Ok(Reply::ok(format!("Deleted the session `{}`.", session.id)))
}

async fn rename(context: &Context, call: &Authorized, title: &str) -> Result<Reply> {
    let (session, project) = (call.session()?, call.project()?);
    let new = title.to_owned();
    let changed = context
        .work
        .store()
        .change_session(session.id, move |s| {
            s.title = new;
            s.renamed = true;
        })
        .await?;
    let Some(changed) = changed else { return refused("The session was deleted in the meantime.") };
    context.work.show_title(&changed);
    let turns = context.work.store().turns_of(session.id).await?.len();
    Ok(Reply::ok(format!("Session `{}` is now called “{title}”.", session.id))
        .quoting()
        .with("sessions", [show::session_data(&changed, project, turns)]))
}
