//! The attached runtime, against the demo agent's server and against none.

use gaggle::agent::demo;
use gaggle::runtime::Feature;
use gaggle::runtime::attached::{AttachedOptions, AttachedRuntime};
use tokio_util::sync::CancellationToken;

use super::*;

/// A demo agent's server, with a key.
async fn server(dir: &Path) -> (String, CancellationToken) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let mut options = demo::Options::new(dir.join("demo"));
    options.secret_key = Some(SecretString::from("the-key"));
    let shutdown = options.shutdown.clone();
    tokio::spawn(demo::serve(listener, options));
    (url, shutdown)
}

fn runtime(url: &str, dir: &Path, key: Option<&str>, protocol: Protocol) -> AttachedRuntime {
    let mut options = AttachedOptions::new(url.to_owned(), dir.to_owned());
    options.secret_key = key.map(SecretString::from);
    options.protocol = protocol;
    AttachedRuntime::new(options).expect("a URL")
}

#[tokio::test]
async fn it_is_looked_at_and_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let (url, shutdown) = server(dir.path()).await;
    let project = ProjectId::from("alpha");
    for protocol in [Protocol::Auto, Protocol::Acp] {
        let runtime = runtime(&url, dir.path(), Some("the-key"), protocol);
        let (steps, mut shown) = mpsc::channel(10);
        let endpoint = runtime.activate(launch("alpha"), steps).await.expect("it is there");
        assert!(matches!(&endpoint, Endpoint::Http { protocol: Protocol::Acp, key: Some(_), .. }), "{endpoint:?}");
        let mut last = None;
        while let Some(step) = shown.recv().await {
            last = Some(step.text);
        }
        let expected = format!("{} {} answers at {url}", demo::TITLE, env!("CARGO_PKG_VERSION"));
        assert_eq!(last, Some(expected));
        assert!(Path::new(&runtime.workdir(&project)).is_dir(), "the server is here and finds the folder");
        assert!(runtime.health().await.iter().all(|fact| fact.fault.is_none()));
        runtime.deactivate(&of(&project), no_steps()).await.expect("it is closed");
        assert!(runtime.endpoint(&project).await.is_none());
        let adopted = runtime.adopt(vec![launch("alpha")]).await.expect("it is looked at");
        assert_eq!(adopted.len(), 1);
        runtime.delete(&of(&project), false, no_steps()).await.expect("it is removed");
        assert!(!Path::new(&runtime.workdir(&project)).exists());
    }
    let wrong = runtime(&url, dir.path(), Some("wrong-key"), Protocol::Auto);
    let sentence = failed(wrong.activate(launch("alpha"), no_steps()).await);
    assert!(sentence.contains("It refuses the key: check `[agent] secret_key`."), "{sentence}");
    assert!(!sentence.contains("wrong-key"), "{sentence}");
    let older = runtime(&url, dir.path(), None, Protocol::GooseApi);
    assert!(older.activate(launch("alpha"), no_steps()).await.is_ok(), "health is all that such a server can be asked");

    let gone = runtime(&url, dir.path(), Some("the-key"), Protocol::Auto);
    gone.activate(launch("alpha"), no_steps()).await.expect("it is there");
    shutdown.cancel();
    let address = url.strip_prefix("http://").expect("a URL").to_owned();
    until("it is gone", || std::net::TcpStream::connect(&address).is_err()).await;
    let sentence = failed(gone.activate(launch("alpha"), no_steps()).await);
    assert!(sentence.contains("It cannot be reached"), "{sentence}");
    assert!(gone.endpoint(&project).await.is_none());
    assert!(gone.adopt(vec![launch("alpha")]).await.expect("it is looked at").is_empty());
    assert!(gone.health().await.iter().all(|fact| fact.fault.is_some()));
}

#[tokio::test]
async fn what_does_not_reach_it_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = runtime("https://agents.example:8443/", dir.path(), None, Protocol::Acp);
    for (feature, part) in [
        (Feature::Logs, "read its log"),
        (Feature::Secrets, "give it secrets"),
        (Feature::Environment, "leave `--env` out"),
        (Feature::Limits, "leave `--cpu` and `--memory` out"),
        (Feature::Repository, "leave `--repo` out"),
        (Feature::Settings, "choose its model"),
        (Feature::Exec, "run commands beside it. Instead, ask the agent itself"),
        (Feature::Image, "leave `--image`, `--port` and `--expose` out"),
        (Feature::Disk, "leave `--disk` out"),
    ] {
        match runtime.supports(None, feature) {
            Err(Error::Refused(sentence)) => {
                assert!(sentence.contains("that somebody else runs (https://agents.example:8443)"), "{sentence}");
                assert!(sentence.contains(part), "{sentence}");
            }
            other => panic!("{other:?}"),
        }
    }
    let project = ProjectId::from("alpha");
    assert!(matches!(runtime.logs(&of(&project), LogQuery::last(1)).await, Err(Error::Refused(_))));
    assert_eq!(runtime.workdir(&project), "/", "the only folder that is surely there");
    for url in ["nonsense", "ftp://host", "http://user:pass@host"] {
        assert!(AttachedRuntime::new(AttachedOptions::new(url.to_owned(), dir.path().to_owned())).is_err(), "{url}");
    }
}
