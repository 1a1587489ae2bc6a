//! The older REST Goose API, port 3001: an answer is the body of the request that asks for it. It dies with its reader, so there
//! is nothing to resume, and approvals have no way back: both are said, not hidden.

mod frames;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::frames::{Frames, Step};
use super::site::{Site, Trouble};
use super::sse::{self, Cut, Life};
use super::{Agent, AgentEvent, Exchange, Failure, MAX_EVENT, OpenSession, Patience, Run, sentences};
use crate::model::{Answer, Content, PromptRef};

const API: &str = "/api/v1";
const EVENTS: usize = 256;
/// Between two looks at the server's health.
const PULSE: Duration = Duration::from_secs(10);
/// What can follow an `error` frame is waited for this long.
const AFTERMATH: Duration = Duration::from_secs(2);

pub struct GooseApi {
    site: Site,
    patience: Patience,
    name: String,
    runs: Arc<Mutex<HashMap<String, CancellationToken>>>,
    gone: CancellationToken,
    _stop: DropGuard,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub async fn connect(site: Site, patience: Patience) -> Result<GooseApi, Failure> {
    let mut name = None;
    for path in ["/api/v1/health", "/health"] {
        let response = site.call(site.request(Method::GET, path)).await.map_err(|trouble| site.unreachable(&trouble))?;
        match response.status() {
            StatusCode::OK => {
                let body: Value =
                    response.text().await.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
                name = Some(match body["version"].as_str() {
                    Some(version) => format!("Goose API {}", crate::model::clip(version, 40)),
                    None => "Goose API".to_owned(),
                });
                break;
            }
            StatusCode::NOT_FOUND => {}
            status => return Err(site.odd_status(status)),
        }
    }
    let Some(name) = name else { return Err(site.odd_status(StatusCode::NOT_FOUND)) };
    let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
    tokio::spawn(watch(site.clone(), stop.clone(), gone.clone()));
    Ok(GooseApi { site, patience, name, runs: Arc::default(), gone, _stop: stop.drop_guard() })
}

/// There is no stream that would break, so the server is looked at now and then.
async fn watch(site: Site, stop: CancellationToken, gone: CancellationToken) {
    let mut refused = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = gone.cancelled() => return,
            () = tokio::time::sleep(if refused == 0 { PULSE } else { PULSE / 20 }) => {}
        }
        match site.call(site.request(Method::GET, "/api/v1/health")).await {
            Err(Trouble::Refused(_)) => refused += 1,
            _ => refused = 0,
        }
        if refused >= 3 {
            gone.cancel();
        }
    }
}

impl GooseApi {
    async fn call(&self, method: Method, path: &str) -> Result<Response, Failure> {
        self.site.call(self.site.request(method, &format!("{API}{path}"))).await.map_err(|trouble| self.unreachable(&trouble))
    }

    fn unreachable(&self, trouble: &Trouble) -> Failure {
        if matches!(trouble, Trouble::Refused(_)) {
            self.gone.cancel();
        }
        self.site.unreachable(trouble)
    }

    async fn json(&self, what: &str, response: Response) -> Result<Value, Failure> {
        let status = response.status();
        let body = read(response, self.patience.call).await.map_err(|cut| match cut {
            Cut::TooLarge => sentences::too_large(),
            Cut::Broken(why) => self.site.unreachable(&Trouble::Lost(why)),
        })?;
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        match frames::error(&value) {
            Some(error) if !status.is_success() => Err(sentences::agent_refused(what, &error)),
            _ if !status.is_success() => Err(self.site.odd_status(status)),
            _ => Ok(value),
        }
    }
}

/// A body of a size that can be held.
async fn read(response: Response, patience: Duration) -> Result<String, Cut> {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    let reading = async {
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| Cut::Broken(sse::root(&error)))?);
            if bytes.len() > MAX_EVENT {
                return Err(Cut::TooLarge);
            }
        }
        Ok(())
    };
    tokio::time::timeout(patience, reading).await.unwrap_or_else(|_| Err(Cut::Broken("it took too long".to_owned())))?;
    String::from_utf8(bytes).map_err(|error| Cut::Broken(error.to_string()))
}

/// Reads an answer to its end; `cancelled` lets go of it.
async fn answer(
    response: Response,
    events: mpsc::Sender<AgentEvent>,
    cancelled: CancellationToken,
    run: Place,
    shown: String,
    patience: Patience,
) {
    let life = Life::new();
    let mut payloads = sse::payloads(response.bytes_stream(), life.clone(), MAX_EVENT);
    let mut frames = Frames::default();
    let mut until: Option<Instant> = None;
    let last = loop {
        let deadline = until.unwrap_or_else(|| life.until(patience.stream_idle));
        tokio::select! {
            () = cancelled.cancelled() => break AgentEvent::Done { cancelled: true, usage: None },
            payload = payloads.next() => match payload {
                Some(Ok(text)) => match frames.step(&text) {
                    Step::Events(new) => {
                        for event in new {
                            // Nobody reads: the answer goes with its reader.
                            if events.send(event).await.is_err() {
                                return;
                            }
                        }
                        if frames.failed() {
                            until.get_or_insert_with(|| Instant::now() + AFTERMATH);
                        }
                    }
                    Step::Ended => break frames.end().unwrap_or(AgentEvent::Done { cancelled: false, usage: None }),
                },
                Some(Err(Cut::TooLarge)) => break AgentEvent::Failed(sentences::too_large()),
                Some(Err(Cut::Broken(why))) => break frames.end().unwrap_or_else(|| AgentEvent::Failed(sentences::gone(&shown, &why))),
                None => {
                    let why = "the answer broke off";
                    break frames.end().unwrap_or_else(|| AgentEvent::Failed(sentences::gone(&shown, why)));
                }
            },
            () = tokio::time::sleep_until(deadline) => {
                if let Some(event) = frames.end() {
                    break event;
                }
                if life.until(patience.stream_idle) <= Instant::now() {
                    break AgentEvent::Failed(sentences::silent(patience.stream_idle));
                }
            }
        }
    };
    // Whoever reads the end may ask the next at once.
    drop(run);
    // Without a reader there is nobody to be told.
    let _ = events.send(last).await;
}

#[async_trait]
impl Agent for GooseApi {
    async fn open(&self, known: Option<&str>) -> Result<OpenSession, Failure> {
        if let Some(id) = known {
            let response = self.call(Method::GET, &format!("/sessions/{}", escaped(id))).await?;
            if response.status() != StatusCode::NOT_FOUND {
                self.json("open the session", response).await?;
                return Ok(OpenSession { id: id.to_owned(), forgotten: false });
            }
        }
        let response = self.call(Method::POST, "/sessions").await?;
        let body = self.json("open a session", response).await?;
        match body["session_id"].as_str() {
            Some(id) => Ok(OpenSession { id: id.to_owned(), forgotten: known.is_some() }),
            None => Err(sentences::agent_refused("open a session", "it gave no session id")),
        }
    }

    fn prompt_ref(&self, session: &str, request: &str) -> PromptRef {
        PromptRef { session: session.to_owned(), connection: None, request: request.to_owned(), sent: false, cancelled: None }
    }

    async fn prompt(&self, prompt: &PromptRef, content: &[Content]) -> Result<Run, Failure> {
        let message: Vec<&str> = content
            .iter()
            .map(|part| match part {
                Content::Text(text) => text.as_str(),
                Content::Image { .. } => "(An image came with this message, which cannot be shown to this agent.)",
            })
            .collect();
        let cancelled = CancellationToken::new();
        {
            let mut runs = locked(&self.runs);
            if runs.contains_key(&prompt.session) {
                return Err(sentences::busy());
            }
            runs.insert(prompt.session.clone(), cancelled.clone());
        }
        let place = Place { runs: self.runs.clone(), session: prompt.session.clone() };
        let request = self
            .site
            .request(Method::POST, &format!("{API}/sessions/{}/messages", escaped(&prompt.session)))
            .header(ACCEPT, "text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(json!({ "message": message.join("\n\n") }).to_string());
        let response = self.site.stream(request).await.map_err(|trouble| self.unreachable(&trouble))?;
        if !response.status().is_success() {
            self.json("take the message", response).await?;
            return Err(sentences::agent_refused("take the message", "it did not say why"));
        }
        let (events, receiver) = mpsc::channel(EVENTS);
        let (patience, shown) = (self.patience, self.site.place());
        tokio::spawn(answer(response, events, cancelled, place, shown, patience));
        Ok(Run { events: receiver })
    }

    async fn resume(&self, _prompt: &PromptRef) -> Result<Option<Run>, Failure> {
        Ok(None)
    }

    async fn last_answer(&self, session: &str) -> Result<Option<Exchange>, Failure> {
        let response = self.call(Method::GET, &format!("/sessions/{}/messages", escaped(session))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(frames::last_answer(&self.json("read the session", response).await?))
    }

    async fn answer(&self, _session: &str, _request: &str, _answer: Answer) -> Result<(), Failure> {
        Err(Failure::Failed(
            "This agent server has no way to answer an approval. Choose the mode `auto`, or a server that speaks ACP.".to_owned(),
        ))
    }

    async fn cancel(&self, session: &str) -> Result<(), Failure> {
        if let Some(run) = locked(&self.runs).get(session) {
            run.cancel();
        }
        Ok(())
    }

    async fn forget(&self, session: &str) -> Result<(), Failure> {
        self.cancel(session).await?;
        let response = self.call(Method::DELETE, &format!("/sessions/{}", escaped(session))).await?;
        if response.status() != StatusCode::NOT_FOUND {
            self.json("delete the session", response).await?;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn connection(&self) -> Option<String> {
        None
    }

    async fn closed(&self) {
        self.gone.cancelled().await;
    }

    async fn close(&self) {
        for run in locked(&self.runs).values() {
            run.cancel();
        }
        self.gone.cancel();
    }
}

/// A run's entry in the list of runs, which it leaves with its end.
struct Place {
    runs: Arc<Mutex<HashMap<String, CancellationToken>>>,
    session: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.runs).remove(&self.session);
    }
}

/// A session's id as a part of a path.
fn escaped(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
