//! Approvals of a turn as messages with buttons; the record decides, the message follows it.

use serde_json::json;
use tokio::time::sleep;

use super::super::render;
use super::super::rest::{Method, Rank};
use super::Show;
use super::posts::pause;
use crate::model::{Approval, ApprovalId, ApprovalState};

const TRIES: u32 = 5;

pub async fn show(show: &Show) {
    let mut changes = show.live.watch();
    let mut told: Vec<(ApprovalId, ApprovalState)> = Vec::new();
    loop {
        changes.mark_unchanged();
        if show.live.is_abandoned() || show.discord.rest().is_dead() {
            return;
        }
        let (ended, approvals) = show.read(|t| (t.state.is_last(), t.approvals.clone()));
        for approval in approvals {
            if told.iter().any(|(id, state)| *id == approval.id && *state == approval.state) {
                continue;
            }
            tell(show, &approval).await;
            told.retain(|(id, _)| *id != approval.id);
            told.push((approval.id, approval.state));
        }
        if ended || changes.changed().await.is_err() {
            return;
        }
    }
}

async fn tell(show: &Show, approval: &Approval) {
    let mut message = render::approval(approval);
    let posted = show.kept.read().approvals.iter().find(|(id, _)| *id == approval.id).map(|(_, id)| id.clone());
    let mut body = message.body();
    let base = format!("/channels/{}/messages", show.channel);
    let (method, path) = match &posted {
        Some(id) => {
            // The file that says all of it stays.
            message.files.clear();
            (Method::PATCH, format!("{base}/{id}"))
        }
        None => {
            body["nonce"] = json!(format!("{}", approval.id));
            body["enforce_nonce"] = json!(true);
            (Method::POST, base)
        }
    };
    for tries in 0..TRIES {
        match show.discord.send_body(method.clone(), path.clone(), &body, &message.files, Rank::Reply).await {
            Ok(sent) => {
                if posted.is_none() {
                    let (id, at) = (approval.id, sent["id"].as_str().unwrap_or_default().to_owned());
                    show.kept.change(|d| d.approvals.push((id, at))).await;
                }
                return;
            }
            Err(fault) if fault.is_passing() => sleep(pause(tries)).await,
            Err(fault) if fault.is_archived() => {
                if show.discord.unarchive(&show.channel).await.is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
