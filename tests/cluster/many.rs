//! Many projects at once: all of them end ready, with few requests and little memory.

use std::time::Duration;

use crate::support::cluster::{Nodes, corner};
use crate::support::proxy::Proxy;

/// How many: `GAGGLE_TEST_MANY`, else so many that the story stays short.
const MANY: usize = 50;
/// Of a debug build; a release build needs less.
const MEMORY: usize = 150 << 10;

/// VmRSS in KiB.
fn memory(pid: i32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let many = std::env::var("GAGGLE_TEST_MANY").ok().and_then(|n| n.parse().ok()).unwrap_or(MANY);
    let proxy = Proxy::start(corner.kubeconfig()).await;
    let mut t = corner.prepare_at(&proxy.kubeconfig(), "quota = false\nactivation_timeout = \"120s\"");
    t.launch();
    t.ready().await;
    let all = async |command: &str, rest: &str| {
        let (begun, mut said) = (std::time::Instant::now(), Vec::new());
        for n in 0..many {
            let place = t.in_conversation(&format!("place-{n}"));
            said.push(place.begin(&format!("/project {command} p{n}{rest}")).await);
        }
        for one in said {
            one.end().await.ok();
        }
        begun.elapsed()
    };
    let created = all("create", "").await;
    let creating = proxy.requests();
    let activated = all("activate", "").await;
    let (starting, memory) = (proxy.requests(), memory(t.pid()));
    let writes = starting.iter().filter(|r| r.is_write()).count();
    let ready = corner.pods().await.len();
    let ended = all("delete", " --yes").await;
    let numbers = format!(
        "{many} projects: created in {created:?} with {} requests, activated in {activated:?} with {} requests ({writes} writes), \
         {memory} KiB, deleted in {ended:?} with {} requests",
        creating.len(),
        starting.len(),
        proxy.requests().len()
    );
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{numbers}");
    assert_eq!(ready, many, "{numbers}");
    assert!(creating.len() <= 20 * many && starting.len() <= 3 * many && memory < MEMORY, "{numbers}");
    assert!(ended < Duration::from_secs(120), "{numbers}");
    corner.empty().await;
    t.done().await;
}
