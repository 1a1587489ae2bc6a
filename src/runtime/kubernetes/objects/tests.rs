//! What becomes of projects, as snapshots, and the script that clones, run.

mod clone;

use gaggle_commands::{EnvVar, Expose, ImageRef, Mode, Quantity, RepoUrl};
use secrecy::SecretString;
use serde_json::Value;

use super::super::options::{Connect, Options, Variables, Words};
use super::super::tables::{self, Limits, Storage, Walls, amounts};
use super::*;
use crate::agent::Protocol;
use crate::model::{PersonId, ProjectId, Settings};

fn launch(settings: Settings, secrets: &[(&str, &str)]) -> Launch {
    Launch {
        project: ProjectId::from("abcdefgh12"),
        name: "demo".to_owned(),
        owner: PersonId("console:operator".to_owned()),
        cluster: None,
        settings,
        secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect(),
        server_key: "server key".into(),
    }
}

fn everything() -> Launch {
    let pair = |name: &str, value: &str| EnvVar { name: name.to_owned(), value: value.to_owned() };
    let settings = Settings {
        repo: Some(RepoUrl("https://example.com/$(HOME)/$x.git".to_owned())),
        cpu: Some(Quantity("50m".to_owned())),
        memory: Some(Quantity("4Gi".to_owned())),
        env: vec![
            pair("A", "project"),
            pair("B", "project"),
            pair("PROJECT_ID", "mine"),
            pair("GOOSE_SERVER__SECRET_KEY", "mine"),
            pair("not-a-name", "x"),
        ],
        model: Some("gpt-5".to_owned()),
        provider: Some("openai".to_owned()),
        mode: Some(Mode::SmartApprove),
        image: Some(ImageRef("example.com/goose:2".to_owned())),
        disk: Some(Quantity("10Gi".to_owned())),
        port: Some(8080),
        expose: Some(Expose::Ingress),
    };
    let mut launch =
        launch(settings, &[("B", "hunter2"), ("OPENAI_API_KEY", "hunter2"), ("USER_ID", "mine"), ("not-a-name", "x")]);
    launch.owner = PersonId("slack:U012AB3CD".to_owned());
    launch
}

fn all_options() -> Options {
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let table = |text: &str| text.parse::<toml::Table>().unwrap();
    Options {
        command: Words(vec!["/goose".to_owned()]),
        protocol: Protocol::GooseApi,
        pull_policy: Some("IfNotPresent"),
        pull_secrets: vec!["registry".to_owned()],
        agent_env: Variables(pairs(&[("A", "agent"), ("C", "agent"), ("D", "agent")])),
        env: Variables(pairs(&[("A", "kubernetes"), ("C", "kubernetes"), ("GOOSE_MODE", "auto")])),
        instance: "second".to_owned(),
        node_selector: [("type".to_owned(), "agents".to_owned())].into(),
        tolerations: vec![
            table("key = 'agents'\noperator = 'Exists'\neffect = 'NoExecute'\ntoleration_seconds = 5").try_into().unwrap(),
        ],
        limits: Some(Limits { max: amounts(&[("cpu", "8")]), ..Limits::default() }),
        network_policy: Some(
            table("egress = ['10.0.0.0/8', '169.254.1.0/24', '0.0.0.0/0']\ningress_namespaces = ['gaggle']")
                .try_into::<Walls>()
                .unwrap(),
        ),
        storage: Storage { class: Some("fast".to_owned()), ..Storage::default() },
        ingress: Some(tables::Ingress {
            domain: "example.com".to_owned(),
            class: Some("nginx".to_owned()),
            tls_secret: Some("tls-{project}-{owner}".to_owned()),
            annotations: [("a.example.com/b".to_owned(), "c".to_owned())].into(),
        }),
        ..Options::default()
    }
}

/// All of it in order, with what is in a Secret by name alone, and the script not repeated.
fn shown(plan: &Plan) -> String {
    let mut shown = String::new();
    for manifest in plan.all() {
        let mut body = manifest.body.clone();
        if manifest.kind == Kind::Secret {
            body["data"].as_object_mut().unwrap().values_mut().for_each(|value| *value = "…".into());
        }
        if let Some(script) = body.pointer_mut("/spec/template/spec/initContainers/0/command/2") {
            *script = "clone.sh".into();
        }
        shown.push_str(&format!(
            "# {} {}\n{}\n",
            manifest.kind.shown(),
            manifest.name,
            serde_json::to_string_pretty(&body).unwrap()
        ));
    }
    shown
}

fn assert_snapshot(name: &str, text: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
    insta::with_settings!({ snapshot_path => path, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

fn object(plan: &Plan, kind: Kind) -> Option<&Value> {
    plan.all().filter(|made| made.kind == kind).last().map(|made| &made.body)
}

#[test]
fn a_project_of_which_nothing_is_said() {
    assert_snapshot("kubernetes_minimal", &shown(&plan(&launch(Settings::default(), &[]), &Options::default(), None)));
}

#[test]
fn a_project_of_which_everything_is_said() {
    assert_snapshot("kubernetes_everything", &shown(&plan(&everything(), &all_options(), None)));
}

/// As the API server would read them.
#[test]
fn objects_are_of_their_types() {
    for plan in [plan(&everything(), &all_options(), None), plan(&launch(Settings::default(), &[]), &Options::default(), None)] {
        for made in plan.all() {
            fn fits<T: serde::de::DeserializeOwned + serde::Serialize>(body: &Value) {
                let typed: T = serde_json::from_value(body.clone()).unwrap();
                // A field that there is not would be lost on the way.
                assert_eq!(&serde_json::to_value(typed).unwrap(), body);
            }
            match made.kind {
                Kind::Namespace => fits::<Namespace>(&made.body),
                Kind::ResourceQuota => fits::<ResourceQuota>(&made.body),
                Kind::LimitRange => fits::<LimitRange>(&made.body),
                Kind::NetworkPolicy => fits::<NetworkPolicy>(&made.body),
                Kind::ServiceAccount => fits::<ServiceAccount>(&made.body),
                Kind::Secret => fits::<Secret>(&made.body),
                Kind::ConfigMap => fits::<ConfigMap>(&made.body),
                Kind::Claim => fits::<PersistentVolumeClaim>(&made.body),
                Kind::Service => fits::<Service>(&made.body),
                Kind::Ingress => fits::<Ingress>(&made.body),
                Kind::Deployment => fits::<Deployment>(&made.body),
            }
            assert_eq!(made.body["kind"], made.kind.shown());
            assert_eq!(made.kind.resource().kind, made.kind.shown());
            assert_eq!(made.body["metadata"]["annotations"][HASH], made.hash);
        }
    }
}

#[test]
fn the_same_gives_the_same_and_a_change_is_seen() {
    let (options, one) = (all_options(), plan(&everything(), &all_options(), None));
    assert_eq!(one, plan(&everything(), &options, None));
    let started = one.deployment.with_replicas(1);
    assert_ne!(started.hash, one.deployment.hash);
    assert_eq!(started.with_replicas(0), one.deployment);
    let hashes = |plan: &Plan| plan.all().map(|made| (made.kind, made.hash.clone())).collect::<Vec<_>>();
    let changed = |other: &Plan| -> Vec<Kind> {
        hashes(&one).into_iter().zip(hashes(other)).filter(|(a, b)| a != b).map(|((kind, _), _)| kind).collect()
    };
    let mut launch = everything();
    launch.secrets[1].1 = "hunter3".into();
    assert_eq!(changed(&plan(&launch, &options, None)), [Kind::Secret, Kind::Deployment], "the pod is replaced");
    let mut launch = everything();
    launch.name = "renamed".to_owned();
    let renamed = plan(&launch, &options, None);
    assert_eq!(renamed.deployment.body["spec"]["template"], one.deployment.body["spec"]["template"], "the pod stays");
}

#[test]
fn secrets_show_nowhere_but_in_the_secret() {
    let plan = plan(&everything(), &all_options(), None);
    assert!(!format!("{plan:?}").contains("aHVudGVyMg"), "base64 of hunter2");
    for made in plan.all() {
        let text = made.body.to_string();
        assert!(!text.contains("hunter2") && !text.contains("server key"));
        assert_eq!(text.contains("aHVudGVyMg"), made.kind == Kind::Secret);
    }
}

#[test]
fn what_is_off_is_not_made() {
    let options = Options { quota: None, limits: None, network_policy: None, pod_security: None, ..Options::default() };
    let exposed = Settings { expose: Some(Expose::NodePort), ..Settings::default() };
    let made = plan(&launch(exposed, &[]), &options, None);
    let kinds: Vec<Kind> = made.all().map(|made| made.kind).collect();
    use Kind::*;
    assert_eq!(kinds, [Namespace, ServiceAccount, Secret, ConfigMap, Service, Deployment]);
    assert!(!made.shared[0].body.to_string().contains("pod-security"));
    assert_eq!(object(&made, Service).unwrap()["spec"]["type"], "NodePort");
}

#[test]
fn connecting_by_ingress_gives_every_project_one() {
    let options = Options { connect: Connect::Ingress, ..all_options() };
    let made = plan(&launch(Settings::default(), &[]), &options, None);
    assert_eq!(object(&made, Kind::Ingress).unwrap()["spec"]["rules"][0]["host"], "demo-console-operator.example.com");
    let made = plan(&launch(Settings::default(), &[]), &all_options(), None);
    assert_eq!(object(&made, Kind::Ingress), None);
}

#[test]
fn long_settings_are_kept_without_their_variables() {
    let long = EnvVar { name: "LONG".to_owned(), value: "x".repeat(130 * 1024) };
    let settings = Settings { env: vec![long], model: Some("m".to_owned()), ..Settings::default() };
    let made = plan(&launch(settings, &[]), &Options::default(), None);
    let kept = made.deployment.body["metadata"]["annotations"][SETTINGS].as_str().unwrap();
    let kept: Settings = serde_json::from_str(kept).unwrap();
    assert_eq!((kept.model.as_deref(), kept.env.len()), (Some("m"), 0));
}
