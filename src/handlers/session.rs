//! `/session …`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gaggle_commands::{Role, SessionCommand};

use super::{Context, project, show};
use crate::access::Authorized;
use crate::error::{Result, refused};
use crate::model::{Message, Reply, Said, Session, TurnState};
use crate::work::TurnTicket;

/// Sessions in one list; older ones are still there, by their number.
const LISTED: usize = 200;
/// A history longer than this comes as a file.
const LONG: usize = 12_000;

pub async fn handle(context: &Context, call: &Authorized, command: &SessionCommand) -> Result<Reply> {
    match command {
        SessionCommand::List { .. } => list(context, call).await,
        SessionCommand::Show { .. } => show(context, call).await,
        SessionCommand::Stop { .. } => stop(context, call).await,
        SessionCommand::Delete { .. } => delete(context, call).await,
        SessionCommand::Export { .. } => export(context, call).await,
        SessionCommand::Rename { title, .. } => rename(context, call, title).await,
        SessionCommand::Retry { .. } => refused("Nothing was asked again."),
    }
}

async fn list(context: &Context, call: &Authorized) -> Result<Reply> {
    let project = call.project()?;
    let sessions = context.work.store().sessions_of(&project.id, LISTED).await?;
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
    if all > sessions.len() {
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

async fn stop(context: &Context, call: &Authorized) -> Result<Reply> {
    let session = call.session()?;
    match context.work.stop(session.id).await {
        Some(TurnState::Stopped) => Ok(Reply::ok(format!("Stopped the answer in session `{}`.", session.id))),
        Some(state) => Ok(Reply::ok(format!("The answer in session `{}` had ended as {} already.", session.id, state.as_str()))),
        None => refused(format!("Nothing is being answered in session `{}`.", session.id)),
    }
}

pub async fn retry(context: &Context, call: &Authorized) -> Result<TurnTicket> {
    let session = call.session()?;
    project::may_run(context, &call.caller, call.project()?).await?;
    if context.work.is_busy(session.id) {
        return refused("An answer is under way in this session. Wait for it, or stop it with `/session stop`.");
    }
    let Some(last) = context.work.store().last_turn(session.id).await? else {
        return refused(format!("Nothing was asked in session `{}` yet.", session.id));
    };
    if last.state == TurnState::Done {
        return refused("The last answer in this session is complete. Just write again.");
    }
    let bytes = context.work.store().attachments(last.id).await?;
    let bytes = bytes.into_iter().map(|data| BASE64_STANDARD.decode(data).unwrap_or_default()).collect();
    let message =
        Message { attachments: last.message.attachments, ..Message::new(call.caller.person.clone(), last.message.text) };
    let said = Said { message, bytes, source: call.source.clone() };
    context.work.say(session, call.caller.origin.clone(), said).await
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
