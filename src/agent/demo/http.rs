//! The demo agent over HTTP, as `goose serve` does it: `POST /acp` for messages, `GET /acp` for the streams of a connection and of
//! its sessions, `DELETE /acp` for its end. A stream without a reader keeps its messages. Knows no method but `initialize`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::stream;
use secrecy::ExposeSecret;
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

use super::Options;
use super::methods::Demo;
use super::rpc::{Client, Fault, lock, random_id, response};

const CONNECTION: HeaderName = HeaderName::from_static("acp-connection-id");
const SESSION: HeaderName = HeaderName::from_static("acp-session-id");
const SECRET: HeaderName = HeaderName::from_static("x-secret-key");

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How long connections may take to end once the agent is told to.
const FAREWELL: Duration = Duration::from_secs(2);

struct Server {
    demo: Arc<Demo>,
    connections: Mutex<HashMap<String, Arc<Client>>>,
}

/// Serves until `options.shutdown`.
pub async fn serve(listener: TcpListener, options: Options) -> anyhow::Result<()> {
    let shutdown = options.shutdown.clone();
    let server = Arc::new(Server { demo: Arc::new(Demo::open(options)?), connections: Mutex::default() });
    let acp = get(read).post(write).delete(end).layer(from_fn_with_state(Arc::clone(&server), admit));
    let router = Router::new()
        .route("/acp", acp)
        .route("/health", get("ok"))
        .route("/status", get("ok"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::clone(&server));
    // Small writes must not wait for the acknowledgement of the one before.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    let ending = shutdown.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        ending.cancelled().await;
        lock(&server.connections).drain().for_each(|(_, client)| client.end());
    });
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = serving.into_future() => Ok(served?),
        () = late => Ok(()),
    }
}

async fn admit(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    if let Some(key) = &server.demo.options.secret_key {
        let shown = request.headers().get(SECRET).map_or(&[][..], HeaderValue::as_bytes);
        if !bool::from(shown.ct_eq(key.expose_secret().as_bytes())) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    next.run(request).await
}

async fn write(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Response {
    if !header(&headers, CONTENT_TYPE).is_some_and(|value| value.starts_with("application/json")) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json").into_response();
    }
    let message = serde_json::from_slice::<Value>(&body).ok().filter(Value::is_object);
    if headers.contains_key(CONNECTION) {
        let client = match server.client(&headers) {
            Ok((_, client)) => client,
            Err(refusal) => return refusal,
        };
        match message {
            Some(message) => server.demo.receive(&client, message),
            None => client.respond(None, &Value::Null, Err(Fault::unreadable(&String::from_utf8_lossy(&body)))),
        }
        return StatusCode::ACCEPTED.into_response();
    }
    match message {
        Some(message) if message["method"] == "initialize" => server.connect(&message["id"]),
        _ => (StatusCode::BAD_REQUEST, "Acp-Connection-Id header required").into_response(),
    }
}

async fn read(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    if !header(&headers, ACCEPT).is_some_and(|value| value.contains("text/event-stream")) {
        return (StatusCode::NOT_ACCEPTABLE, "client must accept text/event-stream").into_response();
    }
    let (connection, client) = match server.client(&headers) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let session = header(&headers, SESSION);
    let Some(reader) = client.outbox(session).reader() else {
        return (StatusCode::CONFLICT, "outbound stream already has a subscriber").into_response();
    };
    let messages = stream::unfold(reader, async |mut reader| {
        let message = reader.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(message)), reader))
    });
    let mut response = Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    for (name, value) in [(CONNECTION, Some(connection.as_str())), (SESSION, session)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn end(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    match server.client(&headers) {
        Ok((connection, client)) => {
            lock(&server.connections).remove(&connection);
            client.end();
            StatusCode::ACCEPTED.into_response()
        }
        Err(refusal) => refusal,
    }
}

impl Server {
    fn connect(&self, id: &Value) -> Response {
        let shutdown = &self.demo.options.shutdown;
        let Some(connection) = random_id().filter(|_| !shutdown.is_cancelled()) else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        lock(&self.connections).insert(connection.clone(), Arc::new(Client::new(true, shutdown)));
        let answer = response(id, Ok(Demo::initialize()));
        ([(CONNECTION.as_str(), connection)], axum::Json(answer)).into_response()
    }

    // The refusal is sent as it is, so it may be as large as a response is.
    #[allow(clippy::result_large_err)]
    fn client(&self, headers: &HeaderMap) -> Result<(String, Arc<Client>), Response> {
        let Some(connection) = header(headers, CONNECTION) else {
            return Err((StatusCode::BAD_REQUEST, "Acp-Connection-Id header required").into_response());
        };
        let client = lock(&self.connections).get(connection).cloned();
        client.map(|client| (connection.to_owned(), client)).ok_or_else(|| StatusCode::NOT_FOUND.into_response())
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
