//! Faults as their reader sees them, the overlay, the shipped file, and that no secret shows.

mod cases;
mod kubernetes;
mod slack;

use std::path::PathBuf;
use std::time::Duration;

use gaggle_commands::Role;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::keys::KEYS;
use super::value::duration;
use super::*;
use crate::agent::Protocol;

type Outcome = Result<Config, Vec<Fault>>;

fn load(toml: &str, variables: &[(&str, &str)]) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gaggle.toml");
    std::fs::write(&path, toml).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    Config::load(Some(&path), owned(variables))
}

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn shipped() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/gaggle.toml")).unwrap()
}

/// The shipped file with every key set.
fn everything() -> toml::Table {
    let is_key =
        |line: &str| line.split_once(" = ").is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    let lines = shipped()
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| is_key(line)).unwrap_or(line).to_owned())
        .collect::<Vec<_>>();
    lines.join("\n").parse().unwrap()
}

#[test]
fn every_key_is_explained_and_no_other() {
    let mut explained = Vec::new();
    for (name, value) in everything() {
        match value {
            toml::Value::Table(table) => explained.extend(table.keys().map(|key| format!("{name}.{key}"))),
            _ => explained.push(name),
        }
    }
    let known: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    assert_eq!(explained, known);
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let shipped = load(&shipped(), &[]).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{:?}", Config::load(None, []).unwrap()));
    assert_eq!(shipped.warnings, [""; 0]);
    assert_eq!(shipped.access.default_role, Some(Role::Member));
    assert_eq!(shipped.access.roles["console:operator"], Role::Admin);
}

#[test]
fn every_example_is_good() {
    for (kind, without) in [
        ("local", &["url", "secret_key", "workdir"] as &[_]),
        ("attached", &["command", "env"]),
        ("kubernetes", &["command", "url", "secret_key", "workdir"]),
    ] {
        let mut table = everything();
        if kind != "kubernetes" {
            table.remove("kubernetes");
        }
        for key in without {
            table["agent"].as_table_mut().unwrap().remove(*key);
        }
        table["runtime"]["kind"] = kind.into();
        let config = load(&table.to_string(), &[]).unwrap();
        assert_eq!(config.warnings, [""; 0]);
        assert_eq!(format!("{:?}", config.limits), format!("{:?}", Limits::default()), "examples show defaults");
        assert_eq!(config.agent.stream_idle_timeout, Duration::from_secs(600));
        assert_eq!(config.agent.protocol, Protocol::Auto);
    }
}

/// Each line as it is shown.
fn faults(toml: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let faults = load(toml, variables).expect_err(toml);
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn each_fault_has_its_key_and_a_fix() {
    for (toml, variables, key, piece) in cases::CASES {
        let shown = faults(toml, variables);
        assert_eq!(shown.len(), 1, "{toml}: {shown:#?}");
        assert!(shown[0].starts_with(&format!("{key}: ")), "{toml}: {shown:#?}");
        assert!(shown[0].contains(piece), "{toml}: {shown:#?}");
        assert!(!shown[0].contains("hunter2"), "{shown:#?}");
    }
}

#[test]
fn all_faults_come_at_once() {
    let toml = "dir = 'x'\n[server]\nlisten = 'here'\n[runtime]\nkind = 'attached'\n[agent]\nnam = 'x'\nprotocol = 'smtp'\n\
                [access]\ndefault_role = 'boss'\nadmins = [1]\n[limits]\nturns = 0\nqueue = 'long'\n[telegram]\ntoken = 'hunter2'";
    let variables = [("GAGGLE_LIMITS__SHUTDOWN_GRACE", "2 weeks"), ("GAGGLE_LIMITS__TRUNS", "3")];
    let shown = faults(toml, &variables).join("\n");
    let expected = "\
dir: there is no such key; remove it, or use one of the sections server, runtime, agent, kubernetes, slack, discord, clusters, infra, services, access, limits
agent.nam: there is no such key; did you mean `agent.name`?
access.admins: has a whole number as entry 1; give it a list of texts, as [\"a\", \"b\"], or a,b in a variable
limits.turns: is out of range; give it a whole number from 1 to 100000
limits.queue: is a text; give it a whole number from 0 to 10000
telegram: there is no such section; remove it, or use one of the sections server, runtime, agent, kubernetes, slack, discord, clusters, infra, services, access, limits
limits.shutdown_grace: GAGGLE_LIMITS__SHUTDOWN_GRACE is no duration; give it a duration above 0 and up to 1h, as \"90s\", \"10m\", \"1h30m\", \"500ms\" or whole seconds
GAGGLE_LIMITS__TRUNS: there is no such key; did you mean `GAGGLE_LIMITS__TURNS`?
server.listen: is no IP address with a port; write it as `127.0.0.1:7788`, `0.0.0.0:7788` or `[::1]:7788`
agent.protocol: is none of the words that it takes; use `auto`, `acp` or `goose-api`
agent.url: is missing, and `runtime.kind` is `attached`; set it to the address of the agent's server, as `http://127.0.0.1:3001`
access.default_role: is none of the words that it takes; use `viewer`, `member`, `admin` or `none`";
    assert_eq!(shown, expected);
}

#[test]
fn a_broken_file_tells_its_places_and_the_variables_are_still_read() {
    let toml = "[agent]\nurl = http://hunter2\n[limits]\nturns = 5\nturns = 6\nqueue = \n";
    let faults = load(toml, &[("GAGGLE_LIMITS__TURNS", "0"), ("GAGGLE_AGENT__URL", "http://a")]).unwrap_err();
    let shown: Vec<_> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(faults.len(), 4, "{shown:#?}");
    for (what, begin) in shown.iter().zip(["line 2, column 7: ", "line 5, column 1: ", "line 6, column 9: ", "GAGGLE_"]) {
        assert!(what.starts_with(begin), "{shown:#?}");
    }
    assert!(!format!("{faults:?}").contains("hunter2"));
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    let found = |path: &Path| Config::load(Some(path), []).unwrap_err().remove(0);
    assert_eq!(found(&path).key, path.display().to_string());
    assert!(found(&path).what.starts_with("cannot be read"));
    assert!(found(dir.path()).what.starts_with("cannot be read"));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(found(&path).what, "is not in UTF-8");
    std::fs::write(&path, "#".repeat(1024 * 1024 + 1)).unwrap();
    assert_eq!(found(&path).what, "is larger than 1 MiB");
}

#[test]
fn variables_win_over_the_file() {
    let toml = "data_dir = 'file'\n[agent]\nurl = 'http://file'\nenv = { A = 'file' }\n[limits]\nturns = 5\nqueue = 6\n\
                [access]\nadmins = ['slack:U1']\nmembers = ['slack:U2']\n";
    let config = load(
        toml,
        &[
            ("GAGGLE_DATA_DIR", "/var/lib/gaggle"),
            ("GAGGLE_SERVER__LISTEN", "[::1]:7788"),
            ("GAGGLE_RUNTIME__KIND", "attached"),
            ("GAGGLE_AGENT__URL", "HTTPS://agents.example:443/"),
            ("GAGGLE_AGENT__PROTOCOL", "goose-api"),
            ("GAGGLE_AGENT__SECRET_KEY", "hunter2"),
            ("GAGGLE_AGENT__ENV", "A=1, B=x=y"),
            ("GAGGLE_AGENT__STREAM_IDLE_TIMEOUT", "90"),
            ("GAGGLE_ACCESS__DEFAULT_ROLE", "none"),
            ("GAGGLE_ACCESS__ADMINS", ""),
            ("GAGGLE_ACCESS__VIEWERS", "console:ann, slack:U3,"),
            ("GAGGLE_ACCESS__EXECUTORS", "slack:U5,console:ann"),
            ("GAGGLE_RUNTIME__IDLE_STOP", "45m"),
            ("GAGGLE_ACCESS__ROLES", "console:operator=member,slack:U4=admin"),
            ("GAGGLE_Limits__turns", "7"),
            ("GAGGLE_LIMITS__APPROVAL_TIMEOUT", "1h30m"),
            ("GAGGLE_SECRET_KEY", "hunter2"),
        ],
    )
    .unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/var/lib/gaggle"));
    assert_eq!(config.server.listen, Some("[::1]:7788".parse().unwrap()));
    assert_eq!(config.runtime.kind, RuntimeKind::Attached);
    assert_eq!(config.agent.url.as_deref(), Some("https://agents.example"));
    assert_eq!(config.agent.protocol, Protocol::GooseApi);
    assert_eq!(config.agent.secret_key.as_ref().unwrap().expose_secret(), "hunter2");
    assert_eq!(config.agent.env, owned(&[("A", "1"), ("B", "x=y")]));
    assert_eq!(config.agent.stream_idle_timeout, Duration::from_secs(90));
    assert_eq!(config.access.default_role, None);
    let mut roles: Vec<_> = config.access.roles.iter().map(|(who, role)| format!("{who} {role}")).collect();
    roles.sort();
    assert_eq!(roles, ["console:ann viewer", "console:operator member", "slack:U2 member", "slack:U3 viewer", "slack:U4 admin"]);
    let mut executors: Vec<_> = config.access.executors.iter().cloned().collect();
    executors.sort();
    assert_eq!(executors, ["console:ann", "slack:U5"]);
    assert_eq!(config.runtime.idle_stop, Some(Duration::from_secs(2_700)));
    assert_eq!((config.limits.turns, config.limits.queue), (7, 6));
    assert_eq!(config.limits.approval_timeout, Duration::from_secs(5400));
    assert_eq!(config.secret_key.as_ref().unwrap().expose_secret(), "hunter2");
    assert_eq!(config.warnings, ["agent.env has no effect while `runtime.kind` is `attached`"]);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_kubernetes_and_others_inject_is_none_of_ours() {
    let config = load(
        "",
        &[
            ("GAGGLE_PORT", "tcp://10.0.0.1:80"),
            ("GAGGLE_PORT_3000_TCP_ADDR", "10.0.0.1"),
            ("GAGGLE_SERVICE_HOST", "10.0.0.1"),
            ("GAGGLE_SERVICE_PORT_HTTP", "80"),
            ("GAGGLE_LOG", "debug"),
            ("GAGGLE_TEST_GOOSE", "/bin/goose"),
            ("GAGGLE_TEST__X", "1"),
            ("MY_GAGGLE_LIMITS__TURN", "1"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(config.unwrap().warnings, [""; 0]);
    let near = load("", &[("GAGGLE_RUNTIME_KIND", "attached")]).unwrap();
    assert_eq!(near.warnings, ["GAGGLE_RUNTIME_KIND is not read; did you mean `GAGGLE_RUNTIME__KIND`?"]);
    assert_eq!(near.runtime.kind, RuntimeKind::Local);
}

#[test]
fn a_command_is_split_as_a_shell_would_or_taken_as_a_list() {
    let command = |toml: &str, variables: &[_]| load(toml, variables).unwrap().agent.command.unwrap();
    let words = ["my agent", "--say", "it's $HOME", ""];
    let text = r#"'my agent' --say "it's \$HOME" ''"#;
    assert_eq!(command("", &[("GAGGLE_AGENT__COMMAND", text)]), words);
    assert_eq!(command(&format!("[agent]\ncommand = '''{text} '''"), &[]), words);
    assert_eq!(command("[agent]\ncommand = ['my agent', '--say', \"it's $HOME\", '']", &[]), words);
}

#[test]
fn secrets_show_nowhere() {
    let toml =
        "[agent]\ncommand = ['goose', '--key', 'hunter2']\nenv = { API_KEY = 'hunter2', PORT = 80 }\nsecret_key = 'hunter2'";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gaggle.toml");
    std::fs::write(&path, toml).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let config = Config::load(Some(&path), []).unwrap();
    assert_eq!(config.agent.env, owned(&[("API_KEY", "hunter2"), ("PORT", "80")]));
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.warnings.len(), 3, "{:#?}", config.warnings);
    assert!(config.warnings[0].contains("everybody on this machine can read `agent.env`"));
    assert!(config.warnings[1].contains("set `GAGGLE_AGENT__SECRET_KEY` instead"));
    assert!(config.warnings[2].starts_with("agent.secret_key has no effect"));
}

/// Whatever its key takes and wherever it stands, a wrong value is not repeated.
#[test]
fn no_wrong_value_is_repeated() {
    for key in KEYS {
        for value in ["'hunter2\\nhunter2'", "\"hunter2\\u0000\"", "['hunter2', 1]", "{ x = ['hunter2'] }", "hunter2"] {
            match load(&format!("{} = {value}", key.name), &[(&key.variable(), "hunter2 '\0")]) {
                Err(faults) => assert!(!format!("{faults:?}").contains("hunter2"), "{faults:?}"),
                Ok(_) => panic!("{} takes {value} and NUL", key.name),
            }
        }
    }
}

#[test]
fn durations() {
    for (text, milliseconds) in [
        ("90s", 90_000),
        ("10m", 600_000),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        ("1s500ms", 1500),
        ("2d", 172_800_000),
        (" 15 ", 15_000),
    ] {
        assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "s", "-1s", "1.5h", "1m1h", "1m2m", "1x", "1h 30m", "99999999999999999999s", "9999999999999999d"] {
        assert_eq!(duration(text), None, "{text}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "\\PC{0,20}".prop_map(|s| toml::Value::String(s).to_string()),
        prop::collection::vec("[a-z:=,]{0,8}", 0..4).prop_map(|v| toml::Value::from(v).to_string()),
        Just("{ a = 1, \"console:b\" = 'admin' }".to_owned()),
        Just("[[1], {}]".to_owned()),
        Just("true".to_owned()),
        Just("1979-05-27".to_owned()),
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_file_and_any_variables_are_answered(
        file in prop::collection::vec((0..KEYS.len(), value()), 0..8),
        noise in "\\PC{0,40}",
        known in prop::collection::vec((0..KEYS.len(), any::<String>()), 0..4),
        unknown in prop::collection::vec(("GAGGLE_[A-Z_é]{0,12}", any::<String>()), 0..4),
    ) {
        let mut toml: String = file.iter().map(|(key, value)| format!("{} = {value}\n", KEYS[*key].name)).collect();
        let variables = known.iter().map(|(key, text)| (KEYS[*key].variable(), text.clone())).chain(unknown.clone());
        let named: Vec<_> = variables.collect();
        let named: Vec<_> = named.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        for _ in 0..2 {
            if let Err(faults) = load(&toml, &named) {
                prop_assert!(!faults.is_empty());
                prop_assert!(faults.iter().all(|f| !f.key.is_empty() && !f.what.is_empty() && !f.fix.is_empty()));
            }
            toml.push_str(&noise);
        }
    }
}
