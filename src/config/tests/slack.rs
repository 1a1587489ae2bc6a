//! `[slack]` as it is taken.

use secrecy::ExposeSecret as _;

use super::*;
use crate::chat::slack::{ThreadMessages, Way};

const TOKENS: &str = "[slack]\nbot_token = 'xoxb-hunter2'\napp_token = 'xapp-hunter2'\n";

#[test]
fn slack_is_there_as_soon_as_anything_of_it_is_set() {
    assert!(load("", &[]).unwrap().slack.is_none());
    let config = load("", &[("GAGGLE_SLACK__BOT_TOKEN", "xoxb-hunter2"), ("GAGGLE_SLACK__APP_TOKEN", "xapp-hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let slack = config.slack.unwrap();
    assert_eq!(slack.bot_token.expose_secret(), "xoxb-hunter2");
    assert!(matches!(&slack.way, Way::Socket { app_token } if app_token.expose_secret() == "xapp-hunter2"));
    assert_eq!(slack.api_url, "https://slack.com/api");
    assert_eq!(slack.commands, ["project", "ask", "session", "cluster", "infra", "service"]);
    assert_eq!((slack.command_prefix.as_str(), slack.thread_messages, slack.streaming), ("", ThreadMessages::All, true));
    assert_eq!((slack.file_limit, slack.catch_up_messages), (10_485_760, 500));
    assert_eq!(slack.catch_up, Duration::from_secs(86_400));
}

#[test]
fn each_key_of_slack_is_taken() {
    let toml = format!(
        "{TOKENS}api_url = 'http://127.0.0.1:80/x/api/'\ncommands = ['/ask', 'infra']\ncommand_prefix = 'acme-'\n\
         thread_messages = 'mentions'\nstreaming = false\nfile_limit = 5\ncatch_up = '1h'\ncatch_up_messages = 0"
    );
    let slack = load(&toml, &[]).unwrap().slack.unwrap();
    assert_eq!(slack.api_url, "http://127.0.0.1/x/api");
    assert_eq!((slack.commands, slack.command_prefix.as_str()), (vec!["ask".to_owned(), "infra".to_owned()], "acme-"));
    assert_eq!((slack.thread_messages, slack.streaming), (ThreadMessages::Mentions, false));
    assert_eq!((slack.file_limit, slack.catch_up, slack.catch_up_messages), (5, Duration::from_secs(3600), 0));
    let over = [("GAGGLE_SLACK__STREAMING", "false"), ("GAGGLE_SLACK__COMMANDS", "")];
    let slack = load(TOKENS, &over).unwrap().slack.unwrap();
    assert_eq!((slack.streaming, slack.commands.len()), (false, 0));
}

#[test]
fn by_http_it_takes_the_secret_and_an_address() {
    let toml = "[slack]\nmode = 'http'\nbot_token = 'xoxb-1'\nsigning_secret = 'hunter2'\n[server]\nlisten = '127.0.0.1:7788'";
    let slack = load(toml, &[]).unwrap().slack.unwrap();
    assert!(matches!(slack.way, Way::Http { signing_secret } if signing_secret.expose_secret() == "hunter2"));
}

/// A prefix makes names free that Slack keeps for itself.
#[test]
fn a_prefix_frees_reserved_names() {
    let slack = load(&format!("{TOKENS}command_prefix = 'my'\ncommands = ['status']"), &[]).unwrap().slack.unwrap();
    assert_eq!(slack.commands, ["status"]);
}
