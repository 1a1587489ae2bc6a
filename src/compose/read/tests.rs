//! Readings from beginning to end: against the reference, of wrong files, of hostile ones. A hostile file never costs more than a
//! bounded time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compose")
}

/// A folder with files, and what is asked about it.
struct Case {
    folder: tempfile::TempDir,
    reading: Reading,
}

impl Case {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join("project").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = folder.path().join("project");
        std::fs::create_dir_all(&project).unwrap();
        let reading = Reading {
            files: vec![Input::File(project.join("compose.yaml"))],
            access: Access::Below(project.clone()),
            folder: project,
            name: None,
            profiles: Vec::new(),
            env_files: None,
            environment: BTreeMap::new(),
        };
        Self { folder, reading }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.reading.folder.join(name)
    }

    fn read(&self) -> Result<Project, Refused> {
        read(self.reading.clone())
    }

    fn refused(&self) -> String {
        let refused = self.read().expect_err("it is refused").to_string();
        refused.replace(&format!("{}/", self.reading.folder.display()), "")
    }
}

fn one(text: &str) -> Case {
    Case::new(&[("compose.yaml", text)])
}

const WEB: &str = "services:\n  web:\n    image: x\n";

/// Blocks of a file: the name behind `--- `, and what follows it.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("--- "), blocks.last_mut()) {
            (Some(name), _) => blocks.push((name.trim().to_owned(), String::new())),
            (None, Some((_, block))) => block.push_str(line),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_reference_reads_the_same() {
    let mut played = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(fixtures().join("agree")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut blocks = blocks(&text);
        let (_, expected) = blocks.pop().unwrap();
        let (_, options) = blocks.remove(0);
        let options: Json = serde_json::from_str(&options).unwrap();
        let texts = |key: &str| -> Vec<String> {
            options[key].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let files: Vec<(&str, &str)> = blocks.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let mut case = Case::new(&files);
        case.reading.files = texts("files").iter().map(|file| Input::File(case.path(file))).collect();
        case.reading.profiles = texts("profiles");
        case.reading.env_files =
            options["env_files"].as_array().map(|_| texts("env_files").iter().map(|file| case.path(file)).collect());
        case.reading.environment = options["environment"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.clone(), v.as_str().unwrap().into()))
            .collect();
        let expected = expected.replace("$DIR", &case.reading.folder.display().to_string());
        let expected: Json = serde_json::from_str(&expected).unwrap();
        let found = match case.read() {
            Ok(project) => project.tree,
            Err(refused) => Json::from(refused.to_string()),
        };
        if found != expected {
            let _ = writeln!(wrong, "{}:\n  wanted {expected}\n  found  {found}", path.display());
        }
        played += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(played > 50, "{played}");
}

/// `UPDATE=1` writes down what is said now.
#[test]
fn wrong_files_are_refused_with_the_place() {
    let path = fixtures().join("wrong.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut now = String::new();
    let mut played = 0;
    for (_, block) in blocks(&text) {
        let (file, _) = block.split_once("=> ").unwrap();
        let case = one(file);
        let start = Instant::now();
        let refused = case.refused();
        assert!(start.elapsed() < Duration::from_secs(2), "{file}");
        assert!(refused.lines().all(|line| line.starts_with("compose.yaml:")), "{file}{refused}");
        let _ = write!(now, "--- \n{file}");
        for line in refused.lines() {
            let _ = writeln!(now, "=> {line}");
        }
        played += 1;
    }
    assert!(played >= 100, "{played}");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(now == text, "what is said of wrong files has changed; `UPDATE=1 cargo test` writes it down\n{now}");
}

#[test]
fn the_place_of_everything_is_known() {
    let project = one("services:\n  web:\n    image: x\n    ports:\n      - 80\n      - \"1:2\"\n").read().unwrap();
    let at = |path: &[&str]| project.place(path).map(|place| (place.line, place.column)).unwrap();
    assert_eq!(at(&["services", "web", "image"]), (3, 5));
    assert_eq!(at(&["services", "web", "ports", "1"]), (6, 9));
    assert_eq!(at(&["services", "web", "ports", "1", "published"]), (6, 9));
    assert_eq!(at(&["services", "web", "nothing"]), (2, 3));
}

#[test]
fn warnings_name_service_key_and_place() {
    let case = Case::new(&[("compose.yaml", "version: \"3\"\nservices:\n  web:\n    image: x:$TAG\n    privileged: \"yes\"\n")]);
    let project = case.read().unwrap();
    let said: Vec<String> = project.warnings.iter().map(ToString::to_string).collect();
    let said = said.join("\n").replace(&format!("{}/", case.reading.folder.display()), "");
    assert_eq!(
        said,
        "compose.yaml:1:1: `version` means nothing any more; remove it\n\
         compose.yaml:4:12: services.web.image: the variable TAG is not set, an empty text stands for it\n\
         compose.yaml:5:17: services.web.privileged: `yes` is taken as true; write `true`"
    );
}

#[test]
fn the_environment_is_what_is_given() {
    let mut case = one("services:\n  web:\n    image: ${HOME:-none}\n    environment: [HOME]\n");
    assert_eq!(case.read().unwrap().tree["services"]["web"]["image"], "none");
    case.reading.environment.insert("HOME".into(), "/h".into());
    assert_eq!(case.read().unwrap().tree["services"]["web"]["environment"]["HOME"], "/h");
}

#[test]
fn values_of_secrets_and_configs_from_the_environment_are_not_shown() {
    let mut case =
        one(&format!("{WEB}    secrets: [s]\nsecrets: {{s: {{environment: KEY}}}}\nconfigs: {{c: {{environment: KEY}}}}\n"));
    case.reading.environment.insert("KEY".into(), "hidden".into());
    let project = case.read().unwrap();
    assert!(!project.tree.to_string().contains("hidden"));
    assert_eq!(project.environment["KEY"], "hidden");
}

#[test]
fn a_file_without_a_folder_reads_nothing() {
    let text = format!("{WEB}    env_file: /etc/hostname\n");
    let reading = |text: &str| Reading {
        files: vec![Input::Text { name: "sent.yaml".into(), text: text.into() }],
        folder: "/nowhere/app".into(),
        name: None,
        profiles: Vec::new(),
        env_files: Some(Vec::new()),
        environment: BTreeMap::new(),
        access: Access::Nothing,
    };
    assert_eq!(read(reading(WEB)).unwrap().name, "app");
    for text in [text.as_str(), "include: [/etc/hostname]\n", "services:\n  a: {extends: {file: /etc/passwd, service: b}}\n"] {
        let refused = read(reading(text)).unwrap_err().to_string();
        assert!(refused.starts_with("sent.yaml:") && refused.contains("nothing but the file itself"), "{refused}");
    }
}

#[test]
fn nothing_outside_the_folder_is_read() {
    let case = Case::new(&[("compose.yaml", "services:\n  web:\n    image: x\n    env_file: ../outside.env\n")]);
    std::fs::write(case.folder.path().join("outside.env"), "SECRET=leak\n").unwrap();
    let outside = case.folder.path().join("outside.env").display().to_string();
    for (name, target) in [("link.env", "../outside.env"), ("far.env", outside.as_str()), ("up", "..")] {
        std::os::unix::fs::symlink(target, case.path(name)).unwrap();
    }
    std::os::unix::fs::symlink("real.env", case.path("inside.env")).unwrap();
    std::fs::write(case.path("real.env"), "A=1\n").unwrap();
    for path in [
        "../outside.env",
        "link.env",
        "far.env",
        "up/outside.env",
        &outside,
        "/etc/passwd",
        "/home/somebody/.ssh/id_rsa",
        "/proc/self/environ",
    ] {
        for text in [
            format!("{WEB}    env_file: {path}\n"),
            format!("{WEB}    env_file: [{{path: {path}, required: false}}]\n"),
            format!("{WEB}    label_file: {path}\n"),
            format!("include: [{path}]\n{WEB}"),
            format!("include: [{{path: real.yaml, env_file: {path}}}]\n{WEB}"),
            format!("services:\n  web:\n    extends: {{file: {path}, service: web}}\n"),
        ] {
            std::fs::write(case.path("compose.yaml"), &text).unwrap();
            std::fs::write(case.path("real.yaml"), "services: {r: {image: r}}\n").unwrap();
            let refused = case.refused();
            let told = refused.contains("outside the project's folder");
            assert!(refused.starts_with("compose.yaml:") && told && !refused.contains("leak"), "{text}{refused}");
        }
    }
    std::fs::write(case.path("compose.yaml"), format!("{WEB}    env_file: inside.env\n")).unwrap();
    assert_eq!(case.read().unwrap().tree["services"]["web"]["environment"]["A"], "1");
    // What is only named may be anywhere.
    std::fs::write(case.path("compose.yaml"), format!("{WEB}    volumes: [\"/etc:/e\", \"../x:/x\"]\n")).unwrap();
    assert_eq!(case.read().unwrap().tree["services"]["web"]["volumes"][0]["source"], "/etc");
}

#[test]
fn nothing_is_fetched() {
    for path in ["https://example.com/c.yaml", "oci://example.com/c", "git@example.com:a/b.git", "http://169.254.169.254/x"] {
        let refused = one(&format!("include: [\"{path}\"]\n{WEB}")).refused();
        assert!(refused.starts_with("compose.yaml:1:11: ") && refused.contains("never"), "{refused}");
        let refused = one(&format!("services:\n  a: {{extends: {{file: \"{path}\", service: b}}}}\n")).refused();
        assert!(refused.starts_with("compose.yaml:2:") && refused.contains("never"), "{refused}");
    }
}

#[test]
fn pipes_devices_and_folders_are_not_read() {
    let case = one(WEB);
    rustix::fs::mkfifoat(rustix::fs::CWD, case.path("pipe"), rustix::fs::Mode::RUSR).unwrap();
    std::fs::create_dir(case.path("folder")).unwrap();
    for (path, why) in
        [("pipe", "not a regular file"), ("folder", "is a folder"), ("/dev/zero", "outside"), ("/dev/stdin", "outside")]
    {
        std::fs::write(case.path("compose.yaml"), format!("{WEB}    env_file: {path}\n")).unwrap();
        let refused = case.refused();
        assert!(refused.contains(why), "{path}: {refused}");
    }
    for given in ["pipe", "folder"] {
        let mut case = one(WEB);
        case.reading.files = vec![Input::File(case.path(given))];
        std::fs::create_dir(case.path("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, case.path("pipe"), rustix::fs::Mode::RUSR).unwrap();
        assert!(case.read().is_err());
    }
    let mut case = one(WEB);
    case.reading.files = vec![Input::File("/dev/zero".into())];
    assert!(case.read().unwrap_err().to_string().contains("not a regular file"));
}

#[test]
fn small_files_do_not_become_large_ones() {
    let bomb = |item: &dyn Fn(&str) -> String| {
        let mut text = String::from("x-a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
        for pair in "abcdefghij".as_bytes().windows(2) {
            let (old, new) = (char::from(pair[0]), char::from(pair[1]));
            let _ = writeln!(text, "x-{new}: &{new} {}", item(&old.to_string()));
        }
        text + WEB
    };
    let wide = "\"y\": 1, ".repeat(3000);
    let many = |text: &str, count: usize| text.repeat(count);
    let extending: String = (0..5000).map(|n| format!("  s{n}: {{extends: web}}\n")).collect();
    let cases = [
        bomb(&|old| format!("[{}]", vec![format!("*{old}"); 9].join(", "))),
        bomb(&|old| format!("{{{}}}", (0..9).map(|n| format!("k{n}: *{old}")).collect::<Vec<_>>().join(", "))),
        bomb(&|old| format!("{{<<: [{}]}}", vec![format!("{{z: *{old}}}"); 9].join(", "))),
        format!("x-a: &a {}\nx-b: [{}]\n{WEB}", "z".repeat(1 << 20), vec!["*a"; 500].join(", ")),
        format!("x-a: {}{}", many("[", 100_000), many("]", 100_000)),
        format!("x-a: {}", many("{a: ", 50_000)),
        format!("x-a:\n  {}a", many("- ", 100_000)),
        format!("{WEB}x-a:\n{}", (0..150_000).map(|n| format!("  k{n}: v\n")).collect::<String>()),
        format!(
            "{WEB}    labels: {{{}}}\n{extending}",
            wide.replace("\"y\"", "k").split(", ").enumerate().map(|(n, _)| format!("k{n}: 1")).collect::<Vec<_>>().join(", ")
        ),
        format!(
            "{WEB}    ports:\n{}",
            (1..200).map(|n| format!("      - \"127.0.0.{n}:1-65535:1-65535\"\n")).collect::<String>()
        ),
        format!("{WEB}    command: \"{}{}\"", many("${A:-", 100_000), many("}", 100_000)),
        format!("{WEB}#{}", many("x", 5 << 20)),
        format!("services:\n{}", (0..5000).map(|n| format!("  s{n}: {{extends: s{}}}\n", n + 1)).collect::<String>()),
    ];
    for text in cases {
        let start = Instant::now();
        let refused = one(&text).refused();
        // Tests run without optimization, many at a time.
        assert!(start.elapsed() < Duration::from_secs(20), "{}", &text[..100]);
        assert!(refused.len() < 10_000, "{refused}");
    }
}

#[test]
fn includes_do_not_multiply() {
    let mut files = vec![("compose.yaml".to_owned(), "include: [a0.yaml, b0.yaml]\n".to_owned())];
    for n in 0..25 {
        for side in ["a", "b"] {
            let text = format!("include: [a{0}.yaml, b{0}.yaml]\nservices: {{{side}{n}: {{image: x}}}}\n", n + 1);
            files.push((format!("{side}{n}.yaml"), text));
        }
    }
    for side in ["a25.yaml", "b25.yaml"] {
        files.push((side.to_owned(), format!("services: {{{}: {{image: x}}}}\n", &side[..3])));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let project = Case::new(&files).read().unwrap();
    assert_eq!(project.tree["services"].as_object().unwrap().len(), 52);
    let circle = Case::new(&[("compose.yaml", "include: [a.yaml]\n"), ("a.yaml", "include: [compose.yaml]\n")]);
    assert!(circle.refused().starts_with("a.yaml:1:11: "), "{}", circle.refused());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    #[test]
    fn no_text_makes_it_panic(parts in proptest::collection::vec(0usize..PARTS.len(), 0..60)) {
        let text: String = parts.into_iter().map(|part| PARTS[part]).collect();
        let reading = Reading {
            files: vec![Input::Text { name: "x.yaml".into(), text }],
            folder: "/nowhere/app".into(),
            name: None,
            profiles: Vec::new(),
            env_files: Some(Vec::new()),
            environment: BTreeMap::new(),
            access: Access::Nothing,
        };
        let _ = read(reading);
    }
}

/// Of what compose files are made, well and badly put together.
const PARTS: &[&str] = &[
    "services:\n",
    "  web:\n",
    "    image: x\n",
    "    ports:\n",
    "      - \"80:80\"\n",
    "    build: .\n",
    "    environment:\n",
    "      A: 1\n",
    "      - A=1\n",
    "    depends_on: [web]\n",
    "    networks: {n: }\n",
    "    volumes: [\"a:/b\"]\n",
    "    command: a 'b\n",
    "    extends: web\n",
    "    <<: *a\n",
    "    labels: &a {k: v}\n",
    "    healthcheck: {test: x, interval: 5s}\n",
    "    deploy: {replicas: 2}\n",
    "    pre_start: [{}]\n",
    "    env_file: [{path: a, required: false}]\n",
    "    ulimits: {a: 5}\n",
    "    x-a: !reset null\n",
    "    scale: !override 2\n",
    "    gpus: all\n",
    "    configs: [{source: c}]\n",
    "    secrets: [s]\n",
    "    extra_hosts: [a=b]\n",
    "    develop: {watch: [{path: a, action: sync}]}\n",
    "networks: {n: {ipam: {config: [{subnet: a}]}}}\n",
    "volumes: {a: }\n",
    "secrets: {s: {file: x}}\n",
    "configs: {c: {content: x}}\n",
    "jobs:\n  j: {image: x, triggers: {manual: true}}\n",
    "models: {m: {model: x}}\n",
    "name: ${A:-b}\n",
    "x-y: [1, 2]\n",
    "---\n",
    "null",
    "5",
    "[]",
    "{}",
    ": ",
    "- ",
    "\"",
    "'",
    "$",
    "${",
    "}",
    "&a ",
    "*a ",
    "\n",
    "  ",
    "|\n",
    "? ",
    "!",
    "#",
    "true",
    "~",
    "\u{0}",
    "é",
];
