//! Compose files and kubeconfigs that were damaged: cut, doubled, mixed with others, strewn with what YAML and interpolation know. They
//! are read or refused; nothing panics, nothing runs on, no credential is repeated.
//!
//! The seed is printed, `GAGGLE_TEST_SEED` tells the same story again; `GAGGLE_TEST_MUTATIONS` is how many are tried, and
//! `GAGGLE_TEST_SAMPLES` names a folder of further files to damage. What libFuzzer does better, `fuzz/` has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gaggle::clusters::kubeconfig;
use gaggle::compose::translate::{Options, translate};
use gaggle::compose::{Access, Bound, Input, Reading, read};
use gaggle::runtime::kubernetes::release;

use super::release_options;

/// Far more than any file may take, since the machine has others to serve.
const LONGEST: Duration = Duration::from_secs(20);

const PIECES: &[&str] = &[
    "${A}",
    "${A:-${B:-${C}}}",
    "${A:?",
    "${",
    "$$",
    "$(X)",
    "&a ",
    "*a",
    "<<: *a",
    "<<: [*a, *a]",
    "!reset null",
    "!override ",
    "? ",
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "{{{{{{{{",
    "[[[[[[[[",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "#",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{2028}",
    "ü",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "~",
    "null",
    "true",
    "1e309",
    "-0",
    "0x7fffffffffffffff",
    "99999999999999999999",
    "1-65535",
    "65536:1",
    "0.0.0.0:1-70000:1-70000/tcp",
    "[::1]:80:80",
    "999999999h",
    "-1s",
    "1e9gb",
    "../../../../etc/passwd",
    "/dev/zero",
    "extends: {service: web}",
    "include: [compose.yaml]",
    "depends_on: [web]",
    "profiles: [a]",
    "network_mode: service:web",
    "x-a: &a [*a]",
    "services:\n",
    "  web:\n",
    "    image: a\n",
    "environment: [A, A=b, =c]",
    "command: 'a \"b'",
    "healthcheck: {interval: 1s}",
    "deploy: {replicas: 999999999}",
];

/// Small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// A place in a text where a character begins.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn range(&mut self, text: &str) -> std::ops::Range<usize> {
        let (a, most) = (self.place(text), [3, 20, 200, 100_000][self.below(4)]);
        let mut b = (a + self.below(most)).min(text.len());
        while !text.is_char_boundary(b) {
            b -= 1;
        }
        a..b.max(a)
    }

    fn damaged(&mut self, samples: &[String]) -> String {
        let mut text = samples[self.below(samples.len())].clone();
        for _ in 0..=self.below(6) {
            let range = self.range(&text);
            match self.below(6) {
                0 => text.replace_range(range, ""),
                1 => {
                    let again = text[range.clone()].repeat(1 + self.below(20));
                    text.insert_str(range.end, &again);
                }
                2 => {
                    let other = &samples[self.below(samples.len())];
                    let piece = &other[self.range(other)];
                    text.replace_range(range, piece);
                }
                3 => {
                    let lines: Vec<&str> = text.lines().collect();
                    let (line, to) = (self.below(lines.len()), self.place(&text));
                    let piece = lines.get(line).map(|line| format!("\n{line}\n")).unwrap_or_default();
                    text.insert_str(to, &piece);
                }
                _ => {
                    let piece = PIECES[self.below(PIECES.len())].repeat(if self.below(8) == 0 { 300 } else { 1 });
                    let at = self.place(&text);
                    text.insert_str(at, &piece);
                }
            }
            if text.len() > 1 << 20 {
                break;
            }
        }
        text
    }
}

fn dice() -> Dice {
    let seed = std::env::var("GAGGLE_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0x9e37_79b9_7f4a_7c15);
    eprintln!("GAGGLE_TEST_SEED={seed}");
    Dice(seed)
}

fn times(usual: usize) -> usize {
    std::env::var("GAGGLE_TEST_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
    found.sort();
}

fn compose_files() -> Vec<String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compose");
    let mut paths = Vec::new();
    files(&own.join("agree"), &mut paths);
    if let Some(more) = std::env::var_os("GAGGLE_TEST_SAMPLES") {
        files(Path::new(&more), &mut paths);
        paths.retain(|path| path.extension().is_some_and(|e| ["txt", "yaml", "yml", "env"].iter().any(|own| e == *own)));
    }
    let mut all: Vec<String> = paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let wrong = std::fs::read_to_string(own.join("wrong.txt")).unwrap();
    all.extend(wrong.split("--- \n").filter_map(|case| Some(case.split_once("\n=>")?.0.to_owned())));
    // What comes before the files there is no YAML.
    all.iter_mut().for_each(|text| {
        if let Some(at) = text.find("services:") {
            text.replace_range(..at, "");
        }
    });
    all
}

/// How long each took, and which took too long.
fn judged(what: &str, texts: impl Iterator<Item = String>, judge: impl Fn(&str)) {
    let mut slow: (Duration, String) = (Duration::ZERO, String::new());
    for text in texts {
        let begun = Instant::now();
        judge(&text);
        let took = begun.elapsed();
        if took > slow.0 {
            slow = (took, text);
        }
    }
    eprintln!("{what}: the slowest took {:?}, of {} bytes", slow.0, slow.1.len());
    assert!(slow.0 < LONGEST, "{:?} for\n{}", slow.0, slow.1);
}

const NOWHERE: &str = "/nonexistent";

fn reading(text: &str) -> Reading {
    Reading {
        files: vec![Input::Text { name: "compose.yaml".into(), text: text.to_owned() }],
        folder: PathBuf::from(NOWHERE),
        name: Some("damaged".into()),
        profiles: vec!["*".into()],
        env_files: Some(Vec::new()),
        environment: BTreeMap::new(),
        access: Access::Nothing,
    }
}

/// The parser panics of it; people read of a fault in their file.
#[test]
fn a_tag_before_a_comma_has_its_place() {
    let text = "services:\n  web:\n    image: a\n    command: [b, !c, d]\n";
    let told = read(reading(text)).unwrap_err().to_string();
    assert!(told.starts_with("compose.yaml:4:18: a tag with nothing"), "{told}");
    let told = kubeconfig::read(b"apiVersion: v1\nkind: Config\nusers: [!a, b]\n", None, true).unwrap_err().to_string();
    assert!(told.starts_with("line 3, column 9: a tag with nothing"), "{told}");
}

#[test]
fn a_long_ring_is_told_by_its_ends() {
    let all: String = (0..500).map(|n| format!("  s{n}: {{image: a, depends_on: [s{}]}}\n", (n + 1) % 500)).collect();
    let told = read(reading(&format!("services:\n{all}"))).unwrap_err().to_string();
    assert!(told.contains("s0 → s1") && told.contains("→ … →") && told.len() < 200, "{told}");
}

/// What is short where it is written has no end either: all of it is held at once, twice.
#[test]
fn short_forms_that_become_too_much_are_refused() {
    let told = |services: String| read(reading(&format!("services:\n{services}"))).map(drop).map_err(|fault| fault.to_string());
    let waits = |n: usize| (0..n).map(|on| format!("s{on},")).collect::<String>();
    let waiting = |many| (0..many).map(|n| format!("  s{n}: {{image: a, depends_on: [{}]}}\n", waits(n))).collect::<String>();
    assert_eq!(told(waiting(300)), Ok(()));
    let refused = told(waiting(580)).unwrap_err();
    assert!(refused.contains("short forms make more than 400000 values"), "{refused}");
    let mounts: String = (0..90_000).map(|n| format!("a:/{n},")).collect();
    let refused = told(format!("  web: {{image: a, volumes: [{mounts}]}}\n")).unwrap_err();
    assert!(refused.contains("short forms make more than 400000 values"), "{refused}");
}

/// Each of them once looked through all the others: one such file took minutes.
#[test]
fn tens_of_thousands_of_mounts() {
    let mounts = |one: fn(usize) -> String| (0..20_000).map(one).collect::<String>();
    let (scratch, claims) = (mounts(|n| format!("/s{n},")), mounts(|n| format!("v{n}:/c{n},")));
    let volumes = mounts(|n| format!("v{n}: {{}},"));
    for list in [scratch, claims] {
        let text = format!("services:\n  web: {{image: a, volumes: [{list}]}}\nvolumes: {{{volumes}}}\n");
        let project = read(reading(&text)).unwrap();
        let made = translate(&project.tree, &Bound::of(&project, Access::Nothing, Path::new(NOWHERE)), &Options::default());
        assert_eq!(made.bundle.workloads[0].mounts.len(), 20_000);
    }
}

#[test]
fn damaged_compose_files() {
    let (mut dice, samples) = (dice(), compose_files());
    assert!(samples.len() > 100, "{}", samples.len());
    let texts = std::iter::repeat_with(|| dice.damaged(&samples)).take(times(300));
    judged("compose files", texts, |text| {
        if let Ok(project) = read(reading(text)) {
            let bound = Bound::of(&project, Access::Nothing, Path::new(NOWHERE));
            let made = translate(&project.tree, &bound, &Options::default());
            let options = release::Options { waiting: Some(release::Waiting::default()), ..release_options("shop") };
            release::export(&made.bundle, &options);
        }
    });
}

#[test]
fn damaged_kubeconfigs() {
    let fixture = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kubeconfigs").join(name);
        BASE64_STANDARD.encode(std::fs::read(path).unwrap())
    };
    let token = "hunter2-0123456789abcdef0123456789abcdef0123456789abcdef";
    let whole = |user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: one\nclusters:\n- name: c\n  cluster:\n    server: https://cluster.test:6443\n    \
             certificate-authority-data: {}\nusers:\n- name: u\n  user: {user}\ncontexts:\n- name: one\n  context: {{cluster: c, user: u}}\n\
             - name: two\n  context: {{cluster: c, user: u, namespace: shop}}\n",
            fixture("ca.pem")
        )
    };
    let key = fixture("client.key");
    let pair = format!("{{client-certificate-data: {}, client-key-data: {key}}}", fixture("client.pem"));
    let exec = "{exec: {command: sh, args: [-c, id], apiVersion: client.authentication.k8s.io/v1}}";
    let json =
        r#"{"apiVersion":"v1","clusters":[{"name":"c","cluster":{"server":"https://a"}}],"users":[],"contexts":[]}"#.to_owned();
    let samples = [whole(&format!("{{token: {token}}}")), whole(&pair), whole(exec), json];
    let mut dice = dice();
    let texts = std::iter::repeat_with(|| dice.damaged(&samples)).take(times(2_000));
    judged("kubeconfigs", texts, |text| {
        let told = match kubeconfig::read(text.as_bytes(), None, true) {
            Ok(kubeconfig::Read::Several(names)) => {
                names.iter().take(3).for_each(|name| drop(kubeconfig::read(text.as_bytes(), Some(name), false)));
                return;
            }
            Ok(kubeconfig::Read::One { credentials, .. }) => format!("{credentials:?}"),
            Err(refused) => refused.to_string(),
        };
        // A longer run of either is no accident.
        for secret in [token, key.as_str()] {
            let run = secret.as_bytes().windows(16).find(|run| told.as_bytes().windows(16).any(|other| other == *run));
            assert!(run.is_none(), "a credential is repeated: {told}\n{text}");
        }
    });
}
