//! Shows one turn as events, from its first state to its last. What changed in between two looks is told once, in order.

use serde_json::json;

use super::event::{TurnEvent, Whole};
use super::{Console, Event, conversation};
use crate::chat::LiveTurn;
use crate::model::{ApprovalState, ToolState, Turn, TurnState};

/// What has been told.
#[derive(Default)]
struct Told {
    state: Option<(&'static str, Option<String>)>,
    text: usize,
    tools: Vec<ToolState>,
    notes: usize,
    approvals: Vec<bool>,
}

pub async fn turn(console: &Console, live: LiveTurn) {
    let mut changes = live.watch();
    let mut told = Told::default();
    loop {
        changes.mark_unchanged();
        let abandoned = live.is_abandoned();
        let (events, last) = live.read(|t| (news(t, &mut told), t.state.is_last()));
        let ended = last || abandoned;
        let approvals = events.iter().any(|e| matches!(e, Event::Approval { .. } | Event::ApprovalEnded { .. }));
        for event in events {
            console.emit(event).await;
        }
        if approvals {
            console.0.changed.notify_one();
        }
        if ended || changes.changed().await.is_err() {
            return;
        }
    }
}

fn news(turn: &Turn, told: &mut Told) -> Vec<Event> {
    let mut events = Vec::new();
    let place = || conversation(&turn.origin.conversation);
    let id = || turn.id.to_string();
    // A turn that waits for nothing in particular is being prepared.
    let state = match turn.state {
        TurnState::Waiting if turn.reason.is_none() => TurnState::Working.as_str(),
        state => state.as_str(),
    };
    let now = (state, turn.reason.clone());
    let first = told.state.is_none();
    // An approval's event names what is waited for, so it comes before the state that says so; the first state comes first.
    let state_event =
        (!turn.state.is_last() && told.state.as_ref() != Some(&now)).then(|| Event::Turn(Box::new(state_of(turn, state))));
    told.state = Some(now);
    let mut state_event = state_event;
    if first {
        events.extend(state_event.take());
        if turn.state.is_last() {
            events.push(Event::Turn(Box::new(TurnEvent { reason: None, ..state_of(turn, TurnState::Working.as_str()) })));
        }
    }
    // A tool stands after the text that was there before it, and its end before what was said then.
    for (at, line) in turn.tools.iter().enumerate() {
        if told.tools.get(at) == Some(&line.state) {
            continue;
        }
        if let Some(text) = turn.text.get(told.text..line.at).filter(|t| !t.is_empty()) {
            events.push(Event::Text { conversation: place(), turn: id(), text: text.to_owned() });
            told.text = line.at;
        }
        events.push(Event::Tool {
            conversation: place(),
            turn: id(),
            tool: line.tool.clone(),
            title: line.title.clone(),
            state: line.state,
            took_ms: line.took,
        });
    }
    if turn.text.len() > told.text {
        events.push(Event::Text { conversation: place(), turn: id(), text: turn.text[told.text..].to_owned() });
        told.text = turn.text.len();
    }
    told.tools = turn.tools.iter().map(|l| l.state).collect();
    for note in &turn.notes[told.notes.min(turn.notes.len())..] {
        events.push(Event::Note { conversation: place(), turn: Some(id()), text: note.clone() });
    }
    told.notes = turn.notes.len();
    for (at, approval) in turn.approvals.iter().enumerate() {
        let open = approval.state == ApprovalState::Open;
        if at >= told.approvals.len() {
            events.push(Event::approval(place(), approval));
        }
        if !open && told.approvals.get(at) != Some(&false) {
            events.push(Event::approval_ended(place(), approval));
        }
    }
    told.approvals = turn.approvals.iter().map(|a| a.state == ApprovalState::Open).collect();
    events.extend(state_event);
    if turn.state.is_last() {
        let seconds = turn.started.zip(turn.ended).map(|(from, to)| (to.duration_since(from).as_millis() as f64) / 1000.0);
        let tools =
            turn.tools.iter().map(|l| json!({"tool": l.tool, "title": l.title, "state": l.state, "took_ms": l.took})).collect();
        let whole = Whole { text: turn.text.clone(), tools, usage: turn.usage, seconds };
        events.push(Event::Turn(Box::new(TurnEvent { whole: Some(whole), ..state_of(turn, state) })));
    }
    events
}

fn state_of(turn: &Turn, state: &'static str) -> TurnEvent {
    TurnEvent {
        id: turn.origin.input.clone(),
        conversation: conversation(&turn.origin.conversation),
        turn: turn.id.to_string(),
        session: turn.session.to_string(),
        state,
        reason: turn.reason.clone(),
        whole: None,
    }
}
