//! How facts look in replies: the same words and the same keys everywhere.

use serde_json::{Value, json};

use super::Context;
use crate::error::Result;
use crate::model::{Approval, Form, Project, Session, Timestamp, ToolState, Turn, TurnState};

pub fn confirm(question: String) -> Form {
    Form::question(question)
}

/// `3 min ago`.
pub fn ago(at: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(at).as_secs().max(0);
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Text as it stands, between fences that it does not contain.
pub fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{text}\n{fence}")
}

/// The facts of a project, for `data`.
pub async fn project_data(context: &Context, project: &Project) -> Result<Value> {
    let endpoint = context.work.runtime().endpoint(&project.id).await.map(|e| e.shown());
    let sessions = context.work.store().count_sessions(&project.id).await?;
    let cluster = match &project.cluster {
        None => None,
        Some(id) => context.work.store().cluster(id).await?.map(|cluster| cluster.name),
    };
    let s = &project.settings;
    Ok(json!({
        "id": project.id,
        "name": project.name,
        "owner": project.owner,
        "status": project.status,
        "reason": project.reason,
        "cluster": cluster,
        "endpoint": endpoint,
        "sessions": sessions,
        "created": project.created,
        "used": project.used,
        "repo": s.repo,
        "cpu": s.cpu,
        "memory": s.memory,
        "model": s.model,
        "provider": s.provider,
        "mode": s.mode,
        "image": s.image,
        "disk": s.disk,
        "port": s.port,
        "expose": s.expose,
        "env": s.env.iter().map(|e| &e.name).collect::<Vec<_>>(),
        "shared_with": project.grants.iter().map(|(who, role)| json!({"user": who, "role": role})).collect::<Vec<_>>(),
    }))
}

pub fn session_data(session: &Session, project: &Project, turns: usize) -> Value {
    json!({
        "session": session.id.to_string(),
        "project": project.name,
        "title": session.title,
        "turns": turns,
        "thread": thread_number(session),
        "opened_by": session.opened_by,
        "created": session.created,
        "used": session.used,
    })
}

/// The number that `/thread N` takes, on surfaces that number them.
pub fn thread_number(session: &Session) -> Option<u64> {
    session.thread.0.rsplit_once('#')?.1.parse().ok()
}

pub fn turn_data(turn: &Turn) -> Value {
    json!({
        "turn": turn.id.to_string(),
        "message": turn.message.text,
        "author": turn.message.author,
        "state": turn.state,
        "reason": turn.reason,
        "text": turn.text,
        "tools": turn.tools.iter().map(tool_data).collect::<Vec<_>>(),
        "usage": turn.usage,
        "created": turn.created,
        "ended": turn.ended,
    })
}

pub fn tool_data(line: &crate::model::ToolLine) -> Value {
    json!({"tool": line.tool, "title": line.title, "state": line.state, "took_ms": line.took})
}

pub fn approval_data(approval: &Approval, session: &Session, project: &Project) -> Value {
    json!({
        "approval": approval.id.to_string(),
        "session": session.id.to_string(),
        "turn": approval.turn.to_string(),
        "project": project.name,
        "tool": approval.tool,
        "title": approval.title,
        "arguments": approval.arguments,
        "state": approval.state,
        "expires": approval.expires,
    })
}

/// A session as Markdown, whole.
pub fn transcript(session: &Session, project: &Project, turns: &[Turn]) -> String {
    let mut text = format!(
        "# {}\n\nSession `{}` of project `{}`, {}.\n",
        session.title,
        session.id,
        project.name,
        count(turns.len(), "turn")
    );
    for turn in turns {
        text.push_str(&format!("\n## {} ({})\n\n", turn.message.author.short(), turn.created.strftime("%Y-%m-%d %H:%M UTC")));
        for line in turn.message.text.lines() {
            text.push_str(&format!("> {line}\n"));
        }
        for attached in &turn.message.attachments {
            text.push_str(&format!(">\n> (with the file {})\n", attached.name));
        }
        text.push('\n');
        let mut shown = 0;
        for line in &turn.tools {
            let state = match line.state {
                ToolState::Running => "running",
                ToolState::Done => "ok",
                ToolState::Failed => "failed",
                ToolState::Unknown => "not known how it ended",
            };
            // What was said before the tool ran stands before it.
            if let Some(before) = turn.text.get(shown..line.at).filter(|t| !t.is_empty()) {
                text.push_str(before.trim_end_matches('\n'));
                text.push_str("\n\n");
                shown = line.at;
            }
            text.push_str(&format!("▸ {}: {} … {state}\n\n", line.tool, line.title));
        }
        if shown < turn.text.len() {
            text.push_str(&turn.text[shown..]);
            text.push('\n');
        }
        if turn.state != TurnState::Done {
            let reason = turn.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
            text.push_str(&format!("\n*{}{reason}*\n", turn.state.as_str()));
        }
    }
    text
}
