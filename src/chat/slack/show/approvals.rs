//! Approvals of a turn as messages with buttons; the record decides, the message follows it.

use serde_json::json;
use tokio::time::sleep;

use super::super::api::Upload;
use super::super::blocks::{self, MESSAGE};
use super::super::limiter::{Method, Rank};
use super::super::markdown::mrkdwn;
use super::super::replies::uploaded;
use super::super::workspace::pause;
use super::Show;
use crate::chat::split::pieces;
use crate::model::{Approval, ApprovalId, ApprovalState};

pub async fn show(show: &Show) {
    let mut changes = show.live.watch();
    let mut told: Vec<(ApprovalId, ApprovalState)> = Vec::new();
    loop {
        changes.mark_unchanged();
        if show.live.is_abandoned() || show.workspace.is_dead() {
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
    let names = show.slack.names(&show.workspace);
    let shown = blocks::approval(approval, show.slack.speech(), &names);
    let posted = show.kept.read().approvals.iter().find(|(id, _)| *id == approval.id).map(|(_, ts)| ts.clone());
    let Some(last) = shown.messages.last() else { return };
    if let Some(ts) = posted {
        let body = json!({ "channel": show.channel, "ts": ts, "text": last.text, "blocks": last.blocks });
        for tries in 0..4 {
            let sent = show.workspace.send(show.call("chat.update", Method::Update, Rank::Reply), &body).await;
            match sent {
                Err(fault) if fault.is_passing() => sleep(pause(tries)).await,
                _ => return,
            }
        }
        return;
    }
    for file in shown.files {
        let upload = Upload {
            channel: show.channel.clone(),
            thread_ts: Some(show.thread.clone()),
            name: file.name,
            title: None,
            comment: None,
            bytes: file.bytes.into(),
        };
        if !uploaded(&show.workspace, &upload).await {
            // Nobody is to allow what they cannot read.
            let text = String::from_utf8_lossy(&upload.bytes);
            for piece in pieces(&text, MESSAGE) {
                let body = json!({ "channel": show.channel, "thread_ts": show.thread, "text": mrkdwn(&piece) });
                let _ = show.workspace.post(show.call("chat.postMessage", Method::Post, Rank::Reply), &body).await;
            }
        }
    }
    for message in &shown.messages {
        let nonce = format!("{}-{}", approval.id, message.text.len());
        let mut mark = show.mark("approval");
        mark["event_payload"]["nonce"] = json!(nonce);
        let body = json!({
            "channel": show.channel, "thread_ts": show.thread, "text": message.text, "blocks": message.blocks, "metadata": mark,
        });
        let call = show.call("chat.postMessage", Method::Post, Rank::Reply);
        let ts = show.workspace.post(call, &body).await.ok();
        // The buttons stand in the last one.
        if let Some(ts) = ts {
            let id = approval.id;
            show.kept
                .change(|d| {
                    d.approvals.retain(|(known, _)| *known != id);
                    d.approvals.push((id, ts));
                })
                .await;
        }
    }
}
