//! The barest bots: one that calls, one that is made of `serenity` and nothing else, one that is reached by signed requests.
//!
//! Absence: nothing of the program itself, so that the stand-in is proven by itself.

use std::sync::{Arc, Mutex};

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use serenity::all::{
    Context, EventHandler, GatewayIntents, GuildChannel, GuildId, Http, HttpBuilder, Interaction, Message, MessageUpdateEvent,
    Ready, ResumedEvent,
};
use serenity::async_trait;
use serenity::interactions_endpoint::Verifier;
use tokio::sync::watch;

use crate::support::discord::{APP, Discord, TOKEN, public_key};

/// Calls, without a library.
pub struct App {
    http: reqwest::Client,
    base: String,
    pub token: String,
}

/// A call's answer.
#[derive(Debug)]
pub struct Called {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Called {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        self.body
    }

    /// Status and Discord's code.
    pub fn error(&self) -> (u16, u64) {
        (self.status, self.body["code"].as_u64().unwrap_or_default())
    }

    pub fn header(&self, name: &str) -> Option<f64> {
        self.headers.get(name)?.to_str().ok()?.parse().ok()
    }
}

impl App {
    pub fn new(discord: &Discord) -> Self {
        let http = reqwest::Client::builder().tcp_nodelay(true).user_agent("DiscordBot (standin, 1)").build().expect("a client");
        Self { http, base: discord.api_url(), token: TOKEN.into() }
    }

    pub async fn try_call(&self, method: &str, path: &str, body: Value) -> reqwest::Result<Called> {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}/v10{path}", self.base));
        request = request.header("authorization", format!("Bot {}", self.token));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Called { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Called {
        self.try_call(method, path, body).await.expect("an answer")
    }

    pub async fn get(&self, path: &str) -> Called {
        self.call("GET", path, Value::Null).await
    }

    /// Writes to a channel.
    pub async fn post(&self, channel: &str, body: Value) -> Called {
        self.call("POST", &format!("/channels/{channel}/messages"), body).await
    }

    /// The first response to an interaction.
    pub async fn respond(&self, interaction: &Value, body: Value) -> Called {
        let (id, token) = (interaction["id"].as_str().expect("an id"), interaction["token"].as_str().expect("a token"));
        self.call("POST", &format!("/interactions/{id}/{token}/callback"), body).await
    }

    /// With files: `payload_json` and `files[n]`.
    pub async fn upload(&self, method: &str, path: &str, body: &Value, files: &[(&str, &[u8])]) -> Called {
        let mut form = format!("--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{body}\r\n").into_bytes();
        for (n, (name, content)) in files.iter().enumerate() {
            form.extend(
                format!("--b\r\nContent-Disposition: form-data; name=\"files[{n}]\"; filename=\"{name}\"\r\n\r\n").bytes(),
            );
            form.extend(*content);
            form.extend(b"\r\n");
        }
        form.extend(b"--b--\r\n");
        let request = self
            .http
            .request(method.parse().expect("a method"), format!("{}/v10{path}", self.base))
            .header("authorization", format!("Bot {}", self.token));
        let response =
            request.header("content-type", "multipart/form-data; boundary=b").body(form).send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Called { status, headers, body: response.json().await.unwrap_or_default() }
    }

    /// Without the token.
    pub async fn download(&self, url: &str) -> Vec<u8> {
        self.http.get(url).send().await.expect("an answer").bytes().await.expect("bytes").to_vec()
    }
}

/// How interactions are answered; `None`: not at all.
pub type Answer = Arc<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

/// Everything that arrived: its name, and what it held.
#[derive(Clone)]
pub struct Ear {
    seen: watch::Sender<Vec<(String, Value)>>,
}

impl Ear {
    pub fn new() -> Self {
        Self { seen: watch::Sender::new(Vec::new()) }
    }

    pub fn hear(&self, name: &str, data: &impl serde::Serialize) {
        let data = serde_json::to_value(data).expect("JSON");
        self.seen.send_modify(|seen| seen.push((name.into(), data)));
    }

    pub fn so_far(&self, name: &str) -> Vec<Value> {
        self.seen.borrow().iter().filter(|(n, _)| n == name).map(|(_, data)| data.clone()).collect()
    }

    /// The first `count` of what arrived under that name.
    pub async fn heard(&self, name: &str, count: usize) -> Vec<Value> {
        let mut seen = self.seen.subscribe();
        let enough = |seen: &Vec<(String, Value)>| seen.iter().filter(|(n, _)| n == name).count() >= count;
        let waiting = tokio::time::timeout(crate::support::discord::DEADLINE, seen.wait_for(enough)).await;
        assert!(
            waiting.is_ok(),
            "{count} {name} were to arrive: {:#?}",
            self.seen.borrow().iter().map(|(n, _)| n).collect::<Vec<_>>()
        );
        self.so_far(name)
    }
}

struct Handler {
    /// Where an interaction is looked up as it was sent; serenity's own types leave things out.
    discord: Discord,
    ear: Ear,
    answer: Answer,
}

#[async_trait]
impl EventHandler for Handler {
    async fn ready(&self, _: Context, ready: Ready) {
        self.ear.hear("ready", &ready);
    }

    async fn resume(&self, _: Context, event: ResumedEvent) {
        self.ear.hear("resumed", &event);
    }

    async fn message(&self, _: Context, message: Message) {
        self.ear.hear("message", &message);
    }

    async fn message_update(&self, _: Context, _: Option<Message>, _: Option<Message>, event: MessageUpdateEvent) {
        self.ear.hear("message_update", &event);
    }

    async fn message_delete(&self, _: Context, _: serenity::all::ChannelId, id: serenity::all::MessageId, _: Option<GuildId>) {
        self.ear.hear("message_delete", &id);
    }

    async fn thread_create(&self, _: Context, thread: GuildChannel) {
        self.ear.hear("thread_create", &thread);
    }

    async fn thread_update(&self, _: Context, _: Option<GuildChannel>, thread: GuildChannel) {
        self.ear.hear("thread_update", &thread);
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let shown = self.discord.look(|s| s.interactions[&interaction.id().to_string()].payload.clone());
        self.ear.hear("interaction", &shown);
        if let Some(body) = (self.answer)(&shown) {
            let answered =
                context.http.create_interaction_response(interaction.id(), interaction.token(), &body, Vec::new()).await;
            self.ear.hear("answered", &answered.map_err(|error| error.to_string()));
        }
    }
}

pub const INTENTS: GatewayIntents = GatewayIntents::GUILDS
    .union(GatewayIntents::GUILD_MESSAGES)
    .union(GatewayIntents::DIRECT_MESSAGES)
    .union(GatewayIntents::MESSAGE_CONTENT);

/// Serenity's own calls.
pub fn rest(discord: &Discord) -> Http {
    let base = discord.api_url().replace("/api", "");
    HttpBuilder::new(TOKEN).application_id(APP.parse().expect("an id")).proxy(base).ratelimiter_disabled(true).build()
}

/// A bot that listens until the test ends.
pub struct Listening {
    pub ear: Ear,
    pub end: Arc<Mutex<Option<serenity::Error>>>,
    shards: Arc<serenity::all::ShardManager>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let shards = Arc::clone(&self.shards);
        tokio::spawn(async move { shards.shutdown_all().await });
    }
}

/// Begins to listen; not yet ready.
pub async fn begin(discord: &Discord, intents: GatewayIntents, answer: Answer) -> Listening {
    let ear = Ear::new();
    let handler = Handler { discord: discord.clone(), ear: ear.clone(), answer };
    let builder = serenity::client::ClientBuilder::new_with_http(rest(discord), intents);
    let mut client = builder.event_handler(handler).await.expect("a client");
    let (end, shards) = (Arc::new(Mutex::default()), Arc::clone(&client.shard_manager));
    let ended = Arc::clone(&end);
    tokio::spawn(async move {
        if let Err(error) = client.start().await {
            *ended.lock().expect("no panic") = Some(error);
        }
    });
    Listening { ear, end, shards }
}

pub async fn listen(discord: &Discord, answer: Answer) -> Listening {
    let listening = begin(discord, INTENTS, answer).await;
    listening.ear.heard("ready", 1).await;
    listening
}

#[derive(Clone)]
struct Served {
    ear: Ear,
    answer: Answer,
}

/// A bot that checks signatures by serenity's own verifier, and answers in the response.
pub async fn serve(discord: &Discord, answer: Answer) -> Ear {
    let ear = Ear::new();
    let router = axum::Router::new().fallback(take).with_state(Served { ear: ear.clone(), answer });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    discord.reach(&format!("http://{}", listener.local_addr().expect("an address")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    ear
}

async fn take(Shared(served): Shared<Served>, headers: HeaderMap, body: String) -> axum::response::Response {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let (second, signature) = (header("x-signature-timestamp"), header("x-signature-ed25519"));
    let fresh = second.parse::<u64>().is_ok_and(|s| crate::support::discord::now().abs_diff(s) < 300);
    if !fresh || Verifier::new(&public_key()).verify(&signature, &second, body.as_bytes()).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(interaction) = serde_json::from_str::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    if interaction["type"] == 1 {
        return axum::Json(json!({ "type": 1 })).into_response();
    }
    serde_json::from_value::<Interaction>(interaction.clone()).unwrap_or_else(|error| panic!("{error}: {interaction}"));
    served.ear.hear("interaction", &interaction);
    match (served.answer)(&interaction) {
        Some(body) => axum::Json(body).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Answers every interaction with nothing at all.
pub fn silent() -> Answer {
    Arc::new(|_| None)
}

/// Answers by this.
pub fn with(answer: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Answer {
    Arc::new(move |interaction| Some(answer(interaction)))
}
