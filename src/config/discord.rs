//! `[discord]`: how Discord reaches Gaggle, and what it may do there.
//!
//! Absence: nothing is asked of Discord here; whether a token is good is told by `gaggle check` and at the start.

use super::reader::Reader;
use super::slack::{DAY, api_url};
use crate::chat::discord::http::PublicKey;
use crate::chat::discord::{Options, ThreadMessages, Way};

const API: &str = "https://discord.com/api";
const API_FORM: &str = "write it as `https://discord.com/api`";
const ID_FORM: &str = "copy it from the application's General Information page: it is a number of 17 to 20 digits";

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Gateway,
    Http,
}

/// `None`: nothing of it is set, so there is no Discord; or it is not said how to reach it, which is a fault.
pub fn read(reader: &mut Reader, listens: bool) -> Option<Options> {
    let is_meant = reader.is_any_set("discord");
    let mode = match reader.is_set("discord.mode") {
        true => reader.choice("discord.mode", &[("gateway", Mode::Gateway), ("http", Mode::Http)]),
        false => Some(Mode::Gateway),
    };
    let token = reader.secret("discord.token");
    let application_id = reader.parsed("discord.application_id", |text| match is_id(text) {
        true => Ok(text.to_owned()),
        false => Err(("is no id of Discord's", ID_FORM)),
    });
    let public_key = reader.parsed("discord.public_key", |text| {
        let form = "copy the Public Key from the application's General Information page: it has 64 hexadecimal digits";
        text.parse::<PublicKey>().map_err(|_| ("is no public key", form))
    });
    let api_url = reader.parsed("discord.api_url", |text| api_url(text, API_FORM)).unwrap_or_else(|| API.to_owned());
    let guilds = reader.list("discord.guilds").unwrap_or_default();
    for (place, guild) in guilds.iter().enumerate() {
        if !is_id(guild) {
            let what = format!("has no id of a server as entry {}", place + 1);
            reader.fault("discord.guilds", what, "copy it from the server's menu in Discord, in developer mode: Copy Server ID");
        }
    }
    let words = [("all", ThreadMessages::All), ("mentions", ThreadMessages::Mentions)];
    let thread_messages = reader.choice("discord.thread_messages", &words).unwrap_or_default();
    let file_limit = reader.count("discord.file_limit").unwrap_or(10 << 20);
    let catch_up = reader.time("discord.catch_up").unwrap_or(DAY);
    let catch_up_messages = reader.count("discord.catch_up_messages").unwrap_or(500);
    if !is_meant {
        return None;
    }
    if reader.is_whole() {
        missing(reader, mode, listens);
    }
    let way = match mode? {
        Mode::Gateway => Way::Gateway,
        Mode::Http => Way::Http { public_key: public_key? },
    };
    Some(Options {
        way,
        token: token?,
        application_id: application_id?,
        api_url,
        guilds,
        thread_messages,
        file_limit,
        catch_up,
        catch_up_messages,
    })
}

fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn missing(reader: &mut Reader, mode: Option<Mode>, listens: bool) {
    let mut needed = vec![
        ("discord.token", "the token of the application's bot, from its Bot page"),
        ("discord.application_id", "the Application ID, from the application's General Information page"),
    ];
    if mode == Some(Mode::Http) {
        needed.push(("discord.public_key", "the Public Key, from the application's General Information page"));
    }
    for (key, what) in needed {
        if !reader.is_set(key) {
            reader.fault(key, "is missing, and Discord cannot be reached without it", format!("set it to {what}"));
        }
    }
    if mode == Some(Mode::Http) && !listens && !reader.is_set("server.listen") {
        let fix = "set `server.listen` to the address that Discord's requests are passed on to, or use the mode `gateway`";
        reader.fault("discord.mode", "is `http`, but nothing listens", fix);
    }
}
