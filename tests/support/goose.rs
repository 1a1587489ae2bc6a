//! The real Goose, if `GAGGLE_TEST_GOOSE` names its binary, with the scripted model.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::bot::{Bot, Platform};
use super::llm::{KEY, Llm, MODEL};

pub const SECRET: &str = "goose-secret";

#[derive(Debug)]
pub struct Goose {
    pub url: String,
    pub llm: Llm,
    pub child: Child,
    pub folder: tempfile::TempDir,
}

/// The binary, or a line that says what is skipped and why.
pub fn binary(test: &str) -> Option<PathBuf> {
    let binary = std::env::var_os("GAGGLE_TEST_GOOSE").map(PathBuf::from);
    if binary.is_none() {
        // Where everything has to run, a test that would skip fails.
        assert!(std::env::var_os("GAGGLE_TEST_ALL").is_none(), "{test} needs GAGGLE_TEST_GOOSE");
        // Straight to standard error, since the harness keeps what a passing test prints; once for all of them.
        static TOLD: std::sync::Once = std::sync::Once::new();
        TOLD.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: all tests with the real Goose: npm install --prefix DIR @aaif/goose-binary-linux-x64@1.52.0, then set \
                 GAGGLE_TEST_GOOSE=DIR/node_modules/@aaif/goose-binary-linux-x64/bin/goose"
            );
        });
    }
    binary
}

/// The environment of a Goose that talks to `llm` and keeps everything in `root`.
pub fn environment(llm: &Llm, root: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("GOOSE_SERVER__SECRET_KEY", SECRET.to_owned()),
        ("GOOSE_PROVIDER", "openai".to_owned()),
        ("GOOSE_MODEL", MODEL.to_owned()),
        ("OPENAI_HOST", llm.url.clone()),
        ("OPENAI_API_KEY", KEY.to_owned()),
        ("GOOSE_MODE", "approve".to_owned()),
        ("GOOSE_PATH_ROOT", root.display().to_string()),
        ("GOOSE_DISABLE_KEYRING", "1".to_owned()),
    ]
}

/// The lines of `[agent]` for such a Goose, which gets a path, a folder and a key of its own from Gaggle.
fn agent(llm: &Llm, root: &Path) -> String {
    let own = ["PATH", "GOOSE_PATH_ROOT", "GOOSE_SERVER__SECRET_KEY"];
    let env: Vec<String> = environment(llm, root)
        .into_iter()
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .collect();
    format!("name = \"goose\"\nenv = {{ {} }}", env.join(", "))
}

impl Goose {
    pub async fn start(binary: &Path) -> Self {
        let llm = Llm::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        std::fs::create_dir_all(&root).expect("a folder");
        std::fs::create_dir_all(folder.path().join("work")).expect("a folder");
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("goose.log")).expect("a file");
        let child = Command::new(binary)
            .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()])
            .env_clear()
            .envs(environment(&llm, &root))
            .current_dir(folder.path().join("work"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("goose starts");
        let url = format!("http://127.0.0.1:{port}");
        let http = super::acp::client();
        for _ in 0..200 {
            if http.get(format!("{url}/health")).send().await.is_ok_and(|response| response.status().is_success()) {
                return Self { url, llm, child, folder };
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("goose does not answer: {}", std::fs::read_to_string(folder.path().join("goose.log")).unwrap_or_default());
    }

    pub fn work(&self) -> String {
        self.folder.path().join("work").display().to_string()
    }
}

/// Gaggle at a stand-in, with that Goose, running and ready.
pub async fn bot<P: Platform>(platform: &P, goose: &Path, llm: &Llm, folder: &Path) -> Bot<P> {
    let mut bot = Bot::prepare(platform, "", "default_role = \"member\"", &agent(llm, folder), "");
    let path = std::env::var("PATH").unwrap_or_default();
    bot.set("PATH", &format!("{}:{path}", goose.parent().expect("a folder").display()));
    bot.launch();
    bot.ready().await;
    bot
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
