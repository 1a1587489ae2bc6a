//! Reading, following and bounding the log.

use super::*;

async fn all(mut lines: mpsc::Receiver<String>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(line) = timeout(PATIENCE, lines.recv()).await.expect("it ends") {
        seen.push(line);
    }
    seen
}

#[tokio::test]
async fn the_last_lines_and_then_the_new_ones() {
    let rig = Rig::new();
    let project = ProjectId::from("alpha");
    assert_eq!(
        all(rig.runtime.logs(&of(&project), LogQuery::last(10)).await.expect("logs")).await,
        [""; 0],
        "nothing was written yet"
    );
    let mut launch = launch("alpha");
    launch.secrets = vec![secret("TOKEN", "hunter2hunter2")];
    let url = rig.start(launch).await;
    for line in ["one", "two-hunter2hunter2", "three"] {
        stand_in::ask(&url, &format!("/say/{line}")).await;
    }
    let last = all(rig.runtime.logs(&of(&project), LogQuery::last(2)).await.expect("logs")).await;
    assert_eq!(last, ["two-[redacted]", "three"]);
    let mut lines = rig.runtime.logs(&of(&project), LogQuery::follow(1)).await.expect("logs");
    assert_eq!(next("the last", &mut lines).await, "three");
    stand_in::ask(&url, "/say/four-hunter2hunter2").await;
    assert_eq!(next("a new one", &mut lines).await, "four-[redacted]");
    drop(lines);
    let lines = rig.runtime.logs(&of(&project), LogQuery::follow(0)).await.expect("logs");
    rig.runtime.deactivate(&of(&project), no_steps()).await.expect("it stops");
    all(lines).await;
    let last = all(rig.runtime.logs(&of(&project), LogQuery::follow(1)).await.expect("logs")).await;
    assert_eq!(last, ["four-[redacted]"], "of what has ended, the log ends too");
}

#[tokio::test]
async fn the_log_is_bounded_and_its_follower_reads_across_the_cut() {
    const LIMIT: u64 = 64 * 1024;
    let rig = Rig::with(|options| {
        options.log_limit = LIMIT;
        options.log_check = Duration::from_millis(100);
    });
    let project = ProjectId::from("alpha");
    let url = rig.start(launch("alpha")).await;
    let mut lines = rig.runtime.logs(&of(&project), LogQuery::follow(0)).await.expect("logs");
    let (log, old) = (rig.folder("alpha").join("agent.log"), rig.folder("alpha").join("agent.log.1"));
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    for round in 0..3 {
        // 500 lines of 93 bytes: two rounds are past the limit.
        stand_in::ask(&url, "/lines/500").await;
        until("it is bounded", || length(&log) <= LIMIT).await;
        stand_in::ask(&url, &format!("/say/end-of-{round}")).await;
        let mut numbers = Vec::new();
        loop {
            let line = next("a line", &mut lines).await;
            if line == format!("end-of-{round}") {
                break;
            }
            // What the test harness itself wrote is no such line.
            if let Some(rest) = line.strip_prefix("line ") {
                numbers.push(rest.split(' ').next().expect("a number").parse::<usize>().expect("a number"));
            }
        }
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice");
        // What was written in the very moment of the cut may be lost.
        assert!(numbers.len() > 400, "{}", numbers.len());
    }
    assert!(length(&old) <= LIMIT + 1024 && length(&old) > 0, "{}", length(&old));
    let last = all(rig.runtime.logs(&of(&project), LogQuery::last(600)).await.expect("logs")).await;
    assert_eq!(last.len(), 600, "the old file is read too");
    assert_eq!(last[599], "end-of-2");
    rig.runtime.shutdown().await;
}
