//! Slack's own samples, and what they leave open.

use std::io::Write as _;
use std::path::Path;

use super::*;

/// By file: the door that it comes through, and as what.
const SAMPLES: &[(&str, Door, &str)] = &[
    ("AppHomeOpened", Door::Events, "app_home_opened"),
    ("AppMention", Door::Events, "app_mention"),
    ("AppRateLimited", Door::Events, "app_rate_limited"),
    ("AppUninstalled", Door::Events, "app_uninstalled"),
    ("BlockAction", Door::Interactivity, "click"),
    ("ChannelArchive", Door::Events, "channel_archive"),
    ("ChannelDeleted", Door::Events, "channel_deleted"),
    ("ChannelRename", Door::Events, "channel_rename"),
    ("MemberJoinedChannel", Door::Events, "member_joined_channel"),
    ("MemberLeftChannel", Door::Events, "member_left_channel"),
    ("MessageBot", Door::Events, "message"),
    ("MessageChanged", Door::Events, "message_changed"),
    ("MessageDeleted", Door::Events, "message_deleted"),
    ("MessageFileShare", Door::Events, "message"),
    ("MessageMe", Door::Events, "message"),
    ("Message", Door::Events, "message"),
    ("MessageReplied", Door::Events, "message"),
    ("MessageShortcut", Door::Interactivity, "shortcut"),
    ("MessageThreadBroadcast", Door::Events, "message"),
    ("ReactionAdded", Door::Events, "reaction_added"),
    ("SlashCommand", Door::Commands, "command"),
    ("SubteamMembersChanged", Door::Events, "subteam_members_changed"),
    ("TokensRevoked", Door::Events, "tokens_revoked"),
    ("UserChange", Door::Events, "user_change"),
    ("ViewClosed", Door::Interactivity, "closed"),
    ("ViewSubmission", Door::Interactivity, "submit"),
];

#[test]
fn every_sample_of_slack_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/slack-samples");
    if !folder.is_dir() {
        assert!(std::env::var_os("GAGGLE_TEST_ALL").is_none(), "the samples of Slack are not there");
        let _ = writeln!(std::io::stderr(), "skipped: Slack's samples: they are not at ../shared/specs/slack-samples");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(folder.join(format!("{name}Payload.json"))).unwrap();
    for (name, door, kind) in SAMPLES {
        let payload = Payload::parse(*door, &read(name)).unwrap();
        assert_eq!(payload.kind(), *kind, "{name}");
        if let Payload::Event(event) = &payload {
            assert_eq!(event.authorizations.len(), 1, "{name}");
            assert!(event.event_time > 0, "{name}");
        }
    }
    let files = std::fs::read_dir(&folder).unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let known = |file: &String| SAMPLES.iter().any(|(name, ..)| file.strip_suffix("Payload.json") == Some(name));
    let unread: Vec<_> = files.filter(|file| file.ends_with("Payload.json") && !known(file)).collect();
    assert!(unread.is_empty(), "samples that nothing is said of: {unread:?}");
    let Ok(Payload::Click(click)) = Payload::parse(Door::Interactivity, &read("BlockAction")) else { panic!() };
    assert!(!click.actions.is_empty() && click.message.is_some());
    let Ok(Payload::Event(event)) = Payload::parse(Door::Events, &read("MessageFileShare")) else { panic!() };
    assert!(matches!(&event.happened, Happened::Message(message) if !message.files.is_empty() && message.files[0].size > 0));
    let Ok(Payload::Event(event)) = Payload::parse(Door::Events, &read("MessageBot")) else { panic!() };
    assert!(matches!(&event.happened, Happened::Message(message) if message.is_bot() && !message.is_said()));
}

fn event(inner: &str) -> Payload {
    Payload::parse(Door::Events, &format!(r#"{{"type":"event_callback","event_id":"Ev1","event":{inner}}}"#)).unwrap()
}

#[test]
fn a_message_and_the_mention_in_it_share_a_key() {
    let said = r#""user":"U1","text":"<@UB> hi","ts":"1.5","thread_ts":"1.1","channel":"C1""#;
    let message = event(&format!(r#"{{"type":"message","channel_type":"channel",{said}}}"#));
    let mention = event(&format!(r#"{{"type":"app_mention",{said}}}"#));
    assert_eq!(message.keys(), ["event:Ev1", "message:C1:1.5"]);
    assert_eq!(message.keys(), mention.keys());
    let Payload::Event(mention) = mention else { panic!() };
    assert!(matches!(&mention.happened, Happened::Mention(m) if m.thread() == "1.1" && m.is_said() && &*m.text == "<@UB> hi"));
}

#[test]
fn the_messages_that_nobody_said_are_told_apart() {
    let is_said = |more: &str| match event(&format!(r#"{{"type":"message","user":"U1","ts":"1.1","channel":"C1"{more}}}"#)) {
        Payload::Event(event) => matches!(&event.happened, Happened::Message(message) if message.is_said()),
        _ => false,
    };
    for more in
        ["", r#","subtype":"file_share""#, r#","subtype":"me_message""#, r#","subtype":null"#, r#","subtype":"","bot_id":"""#]
    {
        assert!(is_said(more), "{more}");
    }
    for more in [r#","bot_id":"B1""#, r#","subtype":"channel_join""#, r#","subtype":"bot_message""#, r#","hidden":true"#] {
        assert!(!is_said(more), "{more}");
    }
}

#[test]
fn edits_and_deletions_name_their_message() {
    let edit = event(
        r#"{"type":"message","subtype":"message_changed","hidden":true,"channel":"D1","channel_type":"im","ts":"9.9",
            "message":{"type":"message","user":"U1","text":"new","ts":"1.1","edited":{"user":"U1","ts":"9.9"}},
            "previous_message":{"user":"U1","text":"old","ts":"1.1"}}"#,
    );
    assert_eq!(edit.keys(), ["event:Ev1"], "it is not the message itself");
    let Payload::Event(edit) = edit else { panic!() };
    let Happened::Changed { channel, message, before: Some(before), .. } = edit.happened else { panic!() };
    assert_eq!((channel.as_str(), message.ts.as_str(), &*message.text, &*before.text), ("D1", "1.1", "new", "old"));
    assert!(message.is_edited && !before.is_edited);
    let Payload::Event(deleted) = event(
        r#"{"type":"message","subtype":"message_deleted","channel":"C1","ts":"9.9","previous_message":{"ts":"1.1","user":"U1"}}"#,
    ) else {
        panic!()
    };
    assert!(matches!(deleted.happened, Happened::Deleted { deleted_ts, .. } if deleted_ts == "1.1"));
}

#[test]
fn whatever_is_chosen_is_found() {
    let json = r#"{"type":"view_submission","user":{"id":"U1"},"view":{"id":"V1","hash":"h","state":{"values":{
        "a":{"x":{"type":"plain_text_input","value":"hunter2"}},
        "b":{"x":{"type":"static_select","selected_option":{"text":{"type":"plain_text","text":"One"},"value":"1"}}},
        "c":{"x":{"type":"multi_users_select","selected_users":["U1","U2"]}},
        "d":{"x":{"type":"checkboxes","selected_options":[{"value":"p"},{"value":"q"}]}},
        "e":{"x":{"type":"datepicker","selected_date":"2026-11-21"}},
        "f":{"x":{"type":"datetimepicker","selected_date_time":1763700000}},
        "g":{"x":{"type":"plain_text_input","value":null}},
        "h":{"x":{"type":"static_select","selected_option":null}},
        "i":{"x":{"type":"file_input","files":[{"id":"F1","name":"a.yaml","size":7}]}},
        "j":{"x":{"type":"conversations_select","selected_conversation":"C1"}}}}}}"#;
    let payload = Payload::parse(Door::Interactivity, json).unwrap();
    assert_eq!(payload.keys(), ["submit:U1:V1:h"], "without a trigger");
    let Payload::Submit(submit) = &payload else { panic!() };
    let one = |block: &str| submit.view.state.input(block, "x").and_then(|input| input.one()).map(str::to_owned);
    let all = ["a", "b", "c", "d", "e", "f", "g", "h", "j"].map(|block| one(block).unwrap_or_default());
    assert_eq!(all, ["hunter2", "1", "U1", "p", "2026-11-21", "1763700000", "", "", "C1"]);
    assert_eq!(submit.view.state.input("d", "x").unwrap().selected, ["p", "q"]);
    assert_eq!(submit.view.state.input("i", "x").unwrap().files[0].size, 7);
    assert!(!format!("{payload:?} {submit:?}").contains("hunter2"));
}

#[test]
fn the_unknown_is_told_and_the_broken_refused() {
    let kind = |door, json: &str| Payload::parse(door, json).map(|payload| payload.kind().to_owned());
    assert_eq!(kind(Door::Interactivity, r#"{"type":"workflow_step_edit"}"#), Ok("workflow_step_edit".into()));
    assert_eq!(kind(Door::Interactivity, r#"{"type":"block_actions","user":null}"#), Ok("block_actions".into()));
    assert_eq!(kind(Door::Commands, r#"{"command":"/ask"}"#), Ok("slash_command".into()));
    assert_eq!(kind(Door::Events, r#"{"type":"x y\n"}"#), Ok("xy".into()));
    assert_eq!(kind(Door::Events, r#"{"type":"app_rate_limited","minute_rate_limited":60}"#), Ok("app_rate_limited".into()));
    assert_eq!(event(r#"{"type":"pin_added","item":7}"#).kind(), "pin_added");
    assert_eq!(event(r#"{"type":"user_change","user":"U1"}"#).kind(), "user_change");
    assert_eq!(event("5").kind(), "none");
    for broken in ["", "{", "[]", "5", "null", "\"x\"", r#"{"type":"#] {
        for door in [Door::Commands, Door::Interactivity, Door::Events] {
            assert!(Payload::parse(door, broken).is_err(), "{broken}");
        }
    }
}

#[test]
fn channels_are_told_by_id_or_whole() {
    let Payload::Event(renamed) = event(r#"{"type":"channel_rename","channel":{"id":"C1","name":"new"}}"#) else { panic!() };
    assert!(matches!(&renamed.happened, Happened::ChannelRenamed { channel, name } if channel == "C1" && name == "new"));
    let Payload::Event(left) = event(r#"{"type":"group_left","channel":"G1"}"#) else { panic!() };
    assert!(matches!(&left.happened, Happened::ChannelLeft { channel } if channel == "G1"));
    let Payload::Event(group) =
        event(r#"{"type":"subteam_updated","subteam":{"id":"S1","handle":"ops","users":["U1"],"date_delete":5}}"#)
    else {
        panic!()
    };
    assert!(matches!(&group.happened, Happened::GroupUpdated { users: Some(users), is_deleted: true, .. } if users == &["U1"]));
}

#[test]
fn commands_are_known_by_all_that_tells_them_apart() {
    let keys = |trigger: &str, text: &str, hook: &str| {
        let json = format!(
            r#"{{"command":"/project","user_id":"U1","channel_id":"C1","trigger_id":"{trigger}","text":"{text}","response_url":"{hook}"}}"#
        );
        Payload::parse(Door::Commands, &json).unwrap().keys()
    };
    let one = keys("1", "create hunter2", "http://h/1");
    assert_eq!(one, keys("1", "create hunter2", "http://h/1"), "it comes again");
    assert!(one.len() == 1 && !one[0].contains("hunter2"), "{one:?}");
    let others = [
        keys("2", "create hunter2", "http://h/1"),
        keys("1", "create b", "http://h/1"),
        keys("1", "create hunter2", "http://h/2"),
    ];
    assert!(others.iter().all(|other| other.len() == 1 && *other != one), "{others:?}");
    assert!(keys("", "create a", "http://h/1").is_empty(), "without a trigger its envelope is its name");
}
