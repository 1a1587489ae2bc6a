//! The data folder: locked, backed up, brought back, never overwritten. And a reader of the output that goes away.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::support::tester::{Tester, agents, snapshot};

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_second_program_is_sent_away() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    let ran = t.pipe("/project list\n").await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran}");
    snapshot("second_program", &ran.to_string());
    t.say("/project list").await.ok();
    t.done().await;
}

#[tokio::test]
async fn backup_and_restore() {
    let mut t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/ask demo say 5 words").await.ok();
    let (data, file, other) = (t.data(), t.folder().join("one.backup"), t.folder().join("other"));
    let mut told = String::new();
    let mut run = async |t: &Tester, args: &[&str], code: i32| {
        let ran = t.run(args, "").await;
        assert_eq!(ran.code, Some(code), "{args:?}: {ran}");
        let shown: Vec<String> = args.iter().map(|a| a.replace(path(t.folder()), "‹folder›")).collect();
        told += &format!("$ gaggle {}\n{ran}\n\n", shown.join(" "));
    };
    // While it runs, through it.
    run(&t, &["backup", path(&file), "--data", path(&data)], 0).await;
    run(&t, &["backup", path(&file), "--data", path(&data)], 1).await;
    run(&t, &["restore", path(&file), "--data", path(&data)], 1).await;
    t.say("/project create later").await.ok();
    run(&t, &["restore", path(&file), "--data", path(&other)], 0).await;
    run(&t, &["restore", path(&file), "--data", path(&other)], 1).await;
    assert_eq!(t.end_input().await.code(), Some(0));
    // While nothing runs.
    run(&t, &["backup", path(&t.folder().join("two.backup")), "--data", path(&data)], 0).await;
    run(&t, &["backup", path(&t.folder().join("three.backup")), "--data", path(&t.folder().join("nothing"))], 1).await;
    run(&t, &["restore", path(&t.folder().join("nothing")), "--data", path(&t.folder().join("new"))], 1).await;
    std::fs::write(t.folder().join("garbage"), vec![7; 10_000]).unwrap();
    run(&t, &["restore", path(&t.folder().join("garbage")), "--data", path(&t.folder().join("new"))], 1).await;
    assert!(!t.folder().join("new").exists());
    let lines = "/project list\n/session show s1\n/ask demo say 3 words\n";
    let ran = t.run(&["dev", "--data", path(&other)], lines).await;
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.out.contains("w1 w2 w3 w4 w5") && !ran.out.contains("later"), "{ran}");
    snapshot("backup", &format!("{told}{ran}"));
    t.done().await;
}

/// Whatever lies there and is no store of this program is left as it is.
#[tokio::test]
async fn what_cannot_be_read_is_not_overwritten() {
    let t = Tester::prepare(&[], &[]);
    std::fs::create_dir_all(t.data()).unwrap();
    let file = t.data().join("gaggle.redb");
    let mut told = String::new();
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", b"this is my diary, not a store".to_vec()),
        ("long garbage", vec![0xa5; 100_000]),
        ("a damaged store", {
            t.pipe("/project create demo\n").await;
            let mut bytes = std::fs::read(&file).unwrap();
            let length = bytes.len();
            bytes[..64].fill(0xee);
            bytes[length / 2..].fill(0xee);
            bytes
        }),
    ];
    std::fs::remove_file(&file).unwrap();
    t.pipe("/project create demo\n").await;
    cases.push(("a store cut in half", {
        let bytes = std::fs::read(&file).unwrap();
        bytes[..bytes.len() / 2].to_vec()
    }));
    cases.push(("a store of the future", {
        const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
        let db = Database::open(&file).unwrap();
        let row = {
            let tx = db.begin_read().unwrap();
            let table = tx.open_table(META).unwrap();
            let rows: Vec<_> =
                table.iter().unwrap().map(|r| r.map(|(k, v)| (k.value().to_vec(), v.value().to_vec())).unwrap()).collect();
            rows.into_iter().find(|(k, _)| k.windows(6).any(|w| w == b"schema")).unwrap()
        };
        // A value is its version and JSON.
        let newer = [&row.1[..1], b"7"].concat();
        let tx = db.begin_write().unwrap();
        tx.open_table(META).unwrap().insert(row.0.as_slice(), newer.as_slice()).unwrap();
        tx.commit().unwrap();
        drop(db);
        std::fs::read(&file).unwrap()
    }));
    let cause = regex::Regex::new(r"\((I/O error|DB corrupted|failed).*\);").unwrap();
    for (name, bytes) in cases {
        std::fs::write(&file, &bytes).unwrap();
        let ran = t.pipe("/project list\n").await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{name}: {ran}");
        assert!(ran.err.lines().count() <= 3, "{name}: {ran}");
        // The marks of being open at the head of the file may change where only opening it tells what is wrong.
        let after = std::fs::read(&file).unwrap();
        let marks = if name == "a store cut in half" { 64 } else { 0 };
        assert!(after.len() == bytes.len() && after[marks..] == bytes[marks..], "{name} was changed");
        // Which fault the library finds first depends on what lies where.
        let ran = cause.replace(&ran.to_string(), "(‹cause›);").into_owned();
        told += &format!("{name}\n{ran}\n\n");
    }
    snapshot("unreadable_stores", &told);
}

/// The reader of the output goes away: nobody is left to work for, and nothing is left running.
#[tokio::test]
async fn a_closed_output_ends_the_program() {
    let t = Tester::prepare(&[], &[]);
    let data = t.data();
    let ended = tokio::task::spawn_blocking(move || {
        let mut command = Tester::command();
        command.args(["dev", "--json", "--data"]).arg(&data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        stdin.write_all(b"/project create demo --env GAGGLE_DEMO_PACE_MS=1\n/ask demo say 20000 words\n").unwrap();
        let mut lines = BufReader::new(stdout).lines();
        assert!(lines.by_ref().any(|l| l.unwrap().contains("\"w1")));
        drop(lines);
        let status = child.wait().unwrap();
        drop(stdin);
        (status, agents(&data))
    });
    let (status, left) = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.expect("it ends").unwrap();
    assert!(status.code().is_some(), "{status}");
    assert_eq!(left, []);
    t.check();
}
