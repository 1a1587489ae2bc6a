//! `gaggle compose check` and `export`, as in CI.

use crate::support::tester::Tester;

const FILE: &str = "\
services:
  web:
    image: nginx:1.29
    ports: ['8080:80']
    depends_on: [db]
    environment: {DB_PASSWORD: hunter2hunter2, REGION: eu}
    configs: [{source: site, target: /etc/nginx/conf.d/default.conf}]
    ulimits: {nofile: 20000}
  db:
    image: postgres:18
    volumes: ['data:/var/lib/postgresql']
configs:
  site: {file: ./site.conf}
volumes:
  data: {}
";

fn gaggle(folder: &std::path::Path, arguments: &[&str]) -> (bool, String, String) {
    let ran = Tester::command().arg("compose").args(arguments).current_dir(folder).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.success(), text(&ran.stdout), text(&ran.stderr))
}

#[test]
fn what_becomes_of_each_service_is_told_and_written() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("compose.yaml"), FILE).expect("a file");
    std::fs::write(folder.path().join("site.conf"), "server { listen 80; }\n").expect("a file");
    let (ok, out, told) = gaggle(folder.path(), &["check", "--name", "shop"]);
    assert!(ok, "{told}");
    assert!(out.lines().any(|l| l.starts_with("web  Deployment")) && out.lines().any(|l| l.starts_with("db ")), "{out}");
    assert!(told.contains("compose.yaml:8:") && told.contains("web") && told.contains("ulimits"), "{told}");
    let (ok, _, told) = gaggle(folder.path(), &["export", "--name", "shop", "--out", "tree"]);
    assert!(ok, "{told}");
    let mut files = Vec::new();
    let mut folders = vec![folder.path().join("tree")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder").flatten() {
            if entry.path().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).expect("text")).collect();
    assert!(text.contains("kind: Deployment") && text.contains("listen 80") && text.contains("REGION"), "{files:?}");
    assert!(!text.contains("hunter2"), "no secret is written");
    assert!(files.iter().any(|file| file.ends_with("overlays/production/kustomization.yaml")), "{files:?}");
    assert!(told.contains("Use `--expose`") && !text.contains("kind: Ingress"), "{told}");
    // Offered outside, where that is asked for.
    for (how, kind) in [("ingress", "kind: Ingress"), ("node-port", "type: NodePort"), ("LOAD-BALANCER", "type: LoadBalancer")] {
        let (ok, _, told) = gaggle(folder.path(), &["export", "--name", "shop", "--out", how, "--expose", how]);
        assert!(ok && !told.contains("Use `--expose`"), "{told}");
        let text = std::fs::read_to_string(folder.path().join(how).join("base/web.yaml")).expect("text");
        assert!(text.contains(kind), "{text}");
    }
    let (ok, _, told) = gaggle(folder.path(), &["export", "--out", "no", "--expose", "everywhere"]);
    assert!(!ok && told.contains("load-balancer"), "{told}");
    // A wrong file is refused with its place.
    std::fs::write(folder.path().join("wrong.yaml"), "services:\n  web:\n    imag: nginx\n").expect("a file");
    let (ok, _, told) = gaggle(folder.path(), &["check", "wrong.yaml"]);
    assert!(!ok && told.starts_with("wrong.yaml:3:5:"), "{told}");
}

#[test]
fn what_is_left_out_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = "\
services:
  web:
    image: nginx:1.29
    volumes: ['./conf.d:/etc/nginx/conf.d', './data:/data']
    develop: {watch: [{path: ., action: rebuild}]}
  debug:
    image: busybox
    profiles: [tools]
volumes:
  spare: {}
";
    std::fs::write(folder.path().join("compose.yaml"), file).expect("a file");
    std::fs::create_dir(folder.path().join("conf.d")).expect("a folder");
    std::fs::write(folder.path().join("conf.d/site.conf"), "server { listen 81; }\n").expect("a file");
    let (ok, _, told) = gaggle(folder.path(), &["export", "--name", "shop", "--out", "tree"]);
    assert!(ok, "{told}");
    for part in ["web: develop:", "debug: profiles:", "`--profile`: tools", "volumes.spare:", "`web-data`"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let text = std::fs::read_to_string(folder.path().join("tree/base/web.yaml")).expect("text");
    assert!(text.contains("web-files-1") && text.contains("claimName: web-data"), "{text}");
    let (ok, _, told) = gaggle(folder.path(), &["check", "--profile", "tools"]);
    assert!(ok && !told.contains("debug: profiles:"), "{told}");
}
