//! Compose files from an address: fetched, and what is in the way of it. A token in the address is told nobody.

use serde_json::json;

use crate::support::https::{Https, authority};
use crate::support::tester::{SECRET, Tester};

const SHOP: &str = "services:\n  web:\n    image: registry.test/web:1\n    ports: ['8080:80']\n    environment:\n      MODE: ${MODE:-fast}\n  \
                    db:\n    image: postgres:16\n    environment:\n      POSTGRES_PASSWORD: hunter2-open\n";

fn answers(path: &str) -> (String, Vec<u8>) {
    let at = |status: &str, body: &str| (status.to_owned(), body.as_bytes().to_vec());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    match path {
        // As forges do it with files of private projects.
        "/shop.yaml" if query == format!("token={SECRET}-query") => at("200 OK", SHOP),
        "/shop.yaml" => at("403 Forbidden", "no"),
        "/inside" => at("302 Found\r\nLocation: https://169.254.169.254/latest/meta-data", ""),
        "/away" => at("301 Moved Permanently\r\nLocation: http://127.0.0.1:1/a", ""),
        "/ring" => at("302 Found\r\nLocation: /ring", ""),
        "/raw/shop.yaml" => at("302 Found\r\nLocation: ../moved.yaml", ""),
        "/moved.yaml" => at("200 OK", SHOP),
        "/large" => ("200 OK".to_owned(), vec![b'#'; 3 << 20]),
        "/bomb" => at("200 OK\r\nContent-Encoding: gzip", "not gzip at all"),
        "/page" => at("200 OK", "<!doctype html>\n<title>Sign in</title>\n"),
        "/bytes" => ("200 OK".to_owned(), vec![0xff, 0xfe, 0, 1]),
        _ => at("404 Not Found", "not here"),
    }
}

#[tokio::test]
async fn a_compose_file_from_an_address() {
    let server = Https::start("server", answers);
    let at = |path: &str| format!("https://{}{path}", server.address);
    let allowed = [("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.1/32"), ("SSL_CERT_FILE", &authority())];
    let mut t = Tester::with(&[], &allowed).await;
    let add = format!("/service add shop {}", at(&format!("/shop.yaml?token={SECRET}-query")));
    t.say(&add).await.ok().has("Added the compose file `shop` with 2 services: `shop:db`, `shop:web`");
    t.say("/service catalogue").await.ok().has("| shop:web | registry.test/web:1 | 80 |");
    t.say("/service show shop:web").await.ok().has("| MODE | fast |");
    t.say("/service show shop:db").await.ok().has("| POSTGRES_PASSWORD | set, not shown | secret |");
    t.say("/service deploy shop:web --dry-run").await.refused().has("/cluster add");
    // By its name too, and again, which replaces it.
    let port = server.address.port();
    let again = format!("/service add shop https://localhost:{port}/shop.yaml?token={SECRET}-query#part");
    t.say(&again).await.ok().has("Replaced the compose file `shop`");
    // By the page of a forge, which leads to the file.
    t.say(&format!("/service add shop {}", at("/raw/shop.yaml"))).await.ok().has("Replaced the compose file `shop`");

    for (path, why) in [
        (format!("/shop.yaml?token={SECRET}-wrong"), "HTTP 403"),
        ("/inside".to_owned(), "169.254.169.254"),
        ("/away".to_owned(), "not an https"),
        ("/ring".to_owned(), "leads elsewhere (HTTP 302)"),
        ("/large".to_owned(), "larger than"),
        (format!("/nothing?{SECRET}"), "HTTP 404"),
        ("/bytes".to_owned(), "no text"),
        ("/page".to_owned(), "far.yaml:"),
        ("/bomb".to_owned(), "far.yaml:"),
    ] {
        let said = t.say(&format!("/service add far {}", at(&path))).await;
        assert!(!said.ok && said.text().contains(why), "{path}: {}", said.text());
    }
    // Nobody listens; no certificate that is trusted, or of another name.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = Https::start("wrongname", answers);
    for (address, why) in [(nobody, "nobody listens there"), (other.address, "its certificate is for another name")] {
        let said = t.say(&format!("/service add far https://{address}/shop.yaml?token={SECRET}-query")).await;
        assert!(!said.ok && said.text().contains(why), "{}", said.text());
    }
    // Credentials before the host are asked for nowhere, and not repeated.
    let seen = server.connections();
    for user in [format!("ann:{SECRET}@"), format!("{SECRET}@")] {
        let address = format!("https://{user}{}/shop.yaml", server.address);
        t.say(&format!("/service add far {address}")).await.refused().has("has no user or password in it");
    }
    t.say(&format!("/service add far http://{}/shop.yaml?token={SECRET}", server.address)).await.refused().has("https://");
    assert_eq!(server.connections(), seen);
    t.say("/service show far").await.refused();
    t.say("/audit").await.ok();

    // The file is there after a restart, also where the address is gone; nothing of the token is.
    drop(server);
    t.restart().await;
    t.say("/service show shop:web").await.ok().has("| MODE | fast |");
    let asked = t.begin("/service add shop").await;
    t.operator().fill(&asked.form().await, json!({ "file": "services: {a: {image: a}}" })).await.end().await.ok();
    asked.end().await.ok().has("Replaced");
    t.done().await;
}

#[tokio::test]
async fn who_is_not_trusted_is_not_read() {
    let server = Https::start("server", answers);
    let at = format!("https://{}/shop.yaml?token={SECRET}-query", server.address);
    // The address may be connected to; the machine does not know the authority.
    let t = Tester::with(&[], &[("GAGGLE_CLUSTERS__ALLOW_ADDRESSES", "127.0.0.0/8")]).await;
    let said = t.say(&format!("/service add shop {at}")).await;
    assert!(!said.ok && said.text().contains("signed by an unknown authority"), "{}", said.text());
    t.done().await;
    // The other way round: nobody connects, whatever name leads there.
    let seen = server.connections();
    let t = Tester::with(&[], &[("SSL_CERT_FILE", &authority())]).await;
    for address in [at.clone(), at.replace("127.0.0.1", "localhost"), at.replace("127.0.0.1", "2130706433")] {
        let said = t.user("ann").say(&format!("/service add shop {address}")).await;
        assert!(!said.ok && said.text().contains("a loopback address"), "{}", said.text());
    }
    assert_eq!(server.connections(), seen);
    t.done().await;
}
