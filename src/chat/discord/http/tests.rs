//! Every refusal of the door, and what goes through it.

use std::sync::atomic::{AtomicUsize, Ordering};

use ed25519_dalek::{Signer as _, SigningKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const COMMAND: &str = r#"{"id":"1200000000000000001","type":2,"token":"tok","data":{"name":"ask"}}"#;

struct Door {
    url: String,
    client: reqwest::Client,
    taken: Arc<AtomicUsize>,
}

/// One request, which can be spoilt.
#[derive(Clone)]
struct Sent {
    body: Vec<u8>,
    time: String,
    signature: String,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signer() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed_at(body: impl Into<Vec<u8>>, time: impl ToString) -> Sent {
    let (body, time) = (body.into(), time.to_string());
    let signature = hex(&signer().sign(&[time.as_bytes(), &body].concat()).to_bytes());
    Sent { body, time, signature }
}

fn signed(body: impl Into<Vec<u8>>) -> Sent {
    signed_at(body, now())
}

impl Door {
    async fn open() -> Self {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let take: Take = Arc::new(move |interaction| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                if interaction.data.get().contains("nothing") {
                    return None;
                }
                if interaction.data.get().contains("never") {
                    std::future::pending::<()>().await;
                }
                Some(json!({ "type": 4, "data": { "content": interaction.data.get().len() } }))
            })
        });
        let key: PublicKey = hex(signer().verifying_key().as_bytes()).parse().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/discord/interactions", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes(key, take)).await });
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { url, client: reqwest::Client::new(), taken }
    }

    fn request(&self, sent: &Sent) -> reqwest::RequestBuilder {
        let request = self.client.post(&self.url).header("content-type", "application/json").body(sent.body.clone());
        request.header("X-Signature-Ed25519", &sent.signature).header("X-Signature-Timestamp", &sent.time)
    }

    async fn send(&self, sent: &Sent) -> (u16, String) {
        let answer = self.request(sent).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn refuses(&self, sent: &Sent, status: u16) {
        let before = self.taken.load(Ordering::SeqCst);
        assert_eq!(
            self.send(sent).await,
            (status, String::new()),
            "{}",
            String::from_utf8_lossy(&sent.body[..sent.body.len().min(80)])
        );
        assert_eq!(self.taken.load(Ordering::SeqCst), before, "nothing is executed");
    }
}

#[tokio::test]
async fn what_discord_signed_is_taken_and_its_response_is_the_answer() {
    let door = Door::open().await;
    let answer = door.request(&signed(COMMAND)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "type": 4, "data": { "content": COMMAND.len() } }));
    for skew in [-290, 290] {
        assert_eq!(door.send(&signed_at(COMMAND, now().checked_add_signed(skew).unwrap())).await.0, 200, "{skew}");
    }
    assert_eq!(door.taken.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_ping_is_a_pong_as_often_as_it_comes() {
    let door = Door::open().await;
    let ping = signed(r#"{"type":1,"id":"1","token":"t","version":1}"#);
    for _ in 0..2 {
        assert_eq!(door.send(&ping).await, (200, r#"{"type":1}"#.to_owned()));
    }
    let forged = Sent { signature: "00".repeat(64), ..ping };
    door.refuses(&forged, 401).await;
}

#[tokio::test]
async fn what_discord_did_not_sign_is_refused() {
    let door = Door::open().await;
    let good = signed(COMMAND);
    let other = hex(&SigningKey::from_bytes(&[8; 32]).sign(&[good.time.as_bytes(), COMMAND.as_bytes()].concat()).to_bytes());
    let (first, rest) = (&good.time[..9], &good.time[9..]);
    for spoilt in [
        Sent { signature: other, ..good.clone() },
        Sent { body: COMMAND.replace("ask", "help").into(), ..good.clone() },
        Sent { time: (now() + 1).to_string(), ..good.clone() },
        Sent { time: first.to_owned(), body: [rest.as_bytes(), COMMAND.as_bytes()].concat(), ..good.clone() },
        Sent { time: format!("{}{{", good.time), body: COMMAND.as_bytes()[1..].to_vec(), ..good.clone() },
        Sent { time: format!("+{}", good.time), ..good.clone() },
        Sent { time: "soon".to_owned(), ..good.clone() },
        Sent { time: String::new(), ..good.clone() },
        Sent { time: "9".repeat(40), ..good.clone() },
        Sent { signature: String::new(), ..good.clone() },
        Sent { signature: good.signature[2..].to_owned(), ..good.clone() },
        Sent { signature: good.signature.replace(|c: char| c.is_ascii_alphabetic(), "z"), ..good.clone() },
        Sent { signature: "00".repeat(64), ..good.clone() },
    ] {
        door.refuses(&spoilt, 401).await;
    }
    let bare = door.client.post(&door.url).body(COMMAND).header("X-Forwarded-For", "127.0.0.1").send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    assert_eq!(door.client.get(&door.url).send().await.unwrap().status().as_u16(), 405);
    assert_eq!(door.send(&good).await.0, 200, "none of this has used it up");
}

#[tokio::test]
async fn what_is_too_old_or_too_new_is_refused_even_if_signed() {
    let door = Door::open().await;
    for time in [now() - 310, now() + 310, 0] {
        door.refuses(&signed_at(COMMAND, time), 401).await;
    }
}

#[tokio::test]
async fn nothing_is_taken_twice_however_it_is_written() {
    let door = Door::open().await;
    let sent = signed(COMMAND);
    assert_eq!(door.send(&sent).await.0, 200);
    door.refuses(&sent, 401).await;
    door.refuses(&Sent { signature: sent.signature.to_uppercase(), ..sent.clone() }, 401).await;
    assert_eq!(door.send(&signed(COMMAND.replace("0001", "0002"))).await.0, 200);
}

#[tokio::test]
async fn what_is_too_large_is_not_read() {
    let door = Door::open().await;
    door.refuses(&signed(vec![b' '; BODY + 1]), 413).await;
    let host = door.url.trim_start_matches("http://").split('/').next().unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let good = signed(COMMAND);
    let head = format!(
        "POST /discord/interactions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\nx-signature-ed25519: {}\r\nx-signature-timestamp: {}\r\n\r\n",
        good.signature, good.time
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn what_is_signed_and_no_interaction_is_malformed() {
    let door = Door::open().await;
    for body in [
        "",
        "nothing",
        "[]",
        "{}",
        r#"{"type":2}"#,
        r#"{"type":0,"id":"1","token":"t"}"#,
        r#"{"type":"2","id":"1","token":"t"}"#,
        r#"{"type":2,"id":1,"token":"t"}"#,
        r#"{"type":2,"id":"x","token":"t"}"#,
        r#"{"type":2,"id":"1","token":""}"#,
        r#"{"type":2,"id":"1","token":"t"}}"#,
        r#"{"type":2,"id":"1","token":"t""#,
    ] {
        door.refuses(&signed(body), 400).await;
    }
    door.refuses(&signed([b"\"\xff\"".as_slice()].concat()), 400).await;
    let deep = format!(r#"{{"type":2,"id":"1","token":"t","data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(door.send(&signed(deep)).await.0, 200, "how deep it is does no harm here");
}

#[tokio::test]
async fn without_a_response_in_time_it_is_unavailable_and_stays_used_up() {
    let door = Door::open().await;
    let nothing = signed(COMMAND.replace("ask", "nothing"));
    assert_eq!(door.send(&nothing).await.0, 503);
    door.refuses(&nothing, 401).await;
    let since = Instant::now();
    assert_eq!(door.send(&signed(COMMAND.replace("ask", "never"))).await.0, 503);
    assert!((2700..2990).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}
