//! Releases, from their first deployment to their end, judged by a real API server with its controllers.

use std::collections::BTreeMap;
use std::time::Duration;

use gaggle::model::Progress;
use gaggle::model::workload::{Bundle, Claim, Condition, Kept, Mount, Placement, Port, Protocol, Source, Wait, Workload};
use gaggle::releases::{self, Change, Deployed, Failed, Journal, Key, Manifests, Overall, Patience, Stored, Target};
use gaggle::runtime::LogQuery;
use gaggle::runtime::kubernetes::release::{Object, Options};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use secrecy::SecretSlice;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::support::cluster::{Corner, Nodes, PATIENCE, corner};

/// What is awaited in other tasks has to be able to go there.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

const IMAGE: &str = "gaggle.test/pretend:1";
const PASSWORD: &str = "hunter2-hunter2";

fn target(corner: &Corner, name: &str) -> Target {
    Target {
        calls: corner.client.clone(),
        streams: corner.client.clone(),
        cluster: "east".into(),
        namespace: format!("{}{name}", corner.prefix),
        release: "shop".into(),
        id: format!("{}-{name}", corner.instance),
    }
}

fn workload(name: &str, image: &str, waits: &[(&str, Condition)]) -> Workload {
    Workload {
        service: name.into(),
        name: name.into(),
        replicas: 1,
        image: image.into(),
        placement: Placement { nodes: vec![("type".into(), true, "kwok".into())], ..Placement::default() },
        ports: vec![Port { name: "tcp-8080".into(), number: 8080, protocol: Protocol::Tcp, app: None }],
        waits: waits.iter().map(|(on, condition)| Wait { on: (*on).into(), condition: *condition, required: true }).collect(),
        ..Workload::default()
    }
}

/// A store with a volume, a job that waits for it, and what waits for both.
fn shop() -> Bundle {
    let mut db = workload("db", IMAGE, &[]);
    db.kept = Kept::StatefulSet;
    db.secret.insert("PASSWORD".into(), PASSWORD.into());
    let from = Source::Claim { claim: "data".into(), path: None };
    db.mounts = vec![Mount { at: "/data".into(), read_only: false, from }];
    let mut migrate = workload("migrate", IMAGE, &[("db", Condition::Healthy)]);
    migrate.kept = Kept::Job;
    migrate.ports.clear();
    migrate.reach.none = true;
    let mut web = workload("web", IMAGE, &[("db", Condition::Healthy), ("migrate", Condition::Completed)]);
    web.plain.insert("MODE".into(), "fast".into());
    let claims = vec![Claim { name: "data".into(), volume: "data".into(), ..Claim::default() }];
    Bundle { name: "shop".into(), workloads: vec![db, migrate, web], claims, sets: Vec::new() }
}

/// The same without a volume, of which there are few.
fn light() -> Bundle {
    let mut bundle = shop();
    bundle.claims.clear();
    bundle.workloads[0].mounts.clear();
    bundle
}

fn manifests(bundle: &Bundle, target: &Target) -> Manifests {
    let namespace = target.namespace.clone();
    let release = Some(target.release.clone());
    Manifests::of(bundle, &Options { namespace, release, seal: Some([1; 32]), drain: 0, ..Options::default() }, target)
}

struct Run {
    outcome: Result<Deployed, Failed>,
    told: Vec<Progress>,
}

impl Run {
    #[track_caller]
    fn done(self) -> Deployed {
        assert!(!format!("{:?}{:?}", self.told, self.outcome).contains(PASSWORD));
        self.outcome.unwrap_or_else(|failed| panic!("{failed:?}\n{:#?}", self.told))
    }

    #[track_caller]
    fn failed(self) -> Failed {
        assert!(!format!("{:?}{:?}", self.told, self.outcome).contains(PASSWORD));
        self.outcome.expect_err("it fails")
    }

    fn place(&self, text: &str) -> usize {
        let found = self.told.iter().position(|step| step.text == text);
        found.unwrap_or_else(|| panic!("{text:?} is not told in {:#?}", self.told))
    }
}

fn listener() -> (mpsc::Sender<Progress>, tokio::task::JoinHandle<Vec<Progress>>) {
    let (steps, mut told) = mpsc::channel(64);
    let all = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(step) = told.recv().await {
            all.push(step);
        }
        all
    });
    (steps, all)
}

fn patience() -> Patience {
    Patience { quiet: Duration::from_secs(20), most: PATIENCE }
}

async fn deploy(target: &Target, wanted: &Manifests, before: Option<&Manifests>) -> Run {
    let (steps, told) = listener();
    let outcome = sent(releases::deploy(target, wanted, before, false, &Journal::default(), &steps, patience())).await;
    drop(steps);
    Run { outcome, told: told.await.unwrap() }
}

async fn delete(target: &Target, wanted: Option<&Manifests>, keep_data: bool) -> releases::Deleted {
    let (steps, told) = listener();
    let deleted = sent(releases::delete(target, wanted, keep_data, &steps)).await.unwrap();
    drop(steps);
    told.await.unwrap();
    deleted
}

fn api<K>(target: &Target) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
    K::DynamicType: Default,
{
    Api::namespaced(target.calls.clone(), &target.namespace)
}

async fn namespace(target: &Target) -> Option<Namespace> {
    Api::<Namespace>::all(target.calls.clone()).get_opt(&target.namespace).await.unwrap()
}

/// What the release has there, with its versions.
async fn versions(target: &Target, wanted: &Manifests) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for object in &wanted.objects {
        let version = get(target, object).await.map(|object| object.metadata.resource_version.unwrap());
        found.insert(format!("{} {}", object.kind, object.name), version.unwrap_or_default());
    }
    found
}

async fn get(target: &Target, object: &Object) -> Option<DynamicObject> {
    let (group, version) = object.api.split_once('/').unwrap_or(("", object.api));
    let kind = kube::core::GroupVersionKind::gvk(group, version, object.kind);
    let api: Api<DynamicObject> = Api::namespaced_with(target.calls.clone(), &target.namespace, &ApiResource::from_gvk(&kind));
    api.get_opt(&object.name).await.unwrap()
}

/// Everything with the release's label, pods too.
async fn left(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    let kinds = [
        ("", "Pod"),
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "PersistentVolumeClaim"),
        ("", "Service"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "Job"),
    ];
    for (group, kind) in kinds {
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, "v1", kind));
        let api: Api<DynamicObject> = Api::namespaced_with(target.calls.clone(), &target.namespace, &resource);
        let ours = ListParams::default().labels(&format!("{}={}", releases::ID, target.id));
        let all = api.list(&ours).await.unwrap().items;
        found.extend(all.into_iter().map(|object| format!("{kind} {}", object.metadata.name.unwrap())));
    }
    found
}

#[track_caller]
fn web(bundle: &mut Bundle) -> &mut Workload {
    bundle.workloads.iter_mut().find(|workload| workload.name == "web").unwrap()
}

fn keys(of: &[(&str, &str)]) -> Vec<Key> {
    of.iter().map(|(kind, name)| Key::new(kind, name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_from_its_first_day_to_its_last() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "life");
    let mut bundle = shop();
    let first = manifests(&bundle, &target);
    let plan = sent(releases::plan(&target, &first, false)).await.unwrap();
    assert!(plan.makes_namespace && plan.objects.iter().all(|planned| planned.change == Change::Create));
    // What others wait for comes first.
    let run = deploy(&target, &first, None).await;
    let order = ["db: ready 1/1", "migrate: ended well", "web: ready 1/1"].map(|text| run.place(text));
    assert!(order.is_sorted(), "{:#?}", run.told);
    run.place("web: waiting for db to be ready");
    let deployed = run.done();
    assert!(deployed.made_namespace && deployed.made.len() == first.objects.len(), "{deployed:?}");
    let status = sent(releases::status(&target)).await.unwrap();
    assert_eq!((status.overall, status.workloads.len()), (Overall::Ready, 3), "{status:#?}");
    let shown: Vec<&str> = status.endpoints.iter().filter_map(|endpoint| endpoint.address.as_deref()).collect();
    assert!(shown.contains(&format!("web.{}.svc.cluster.local:8080", target.namespace).as_str()), "{shown:?}");
    assert_eq!(status.claims, [("data".to_owned(), "Bound".to_owned())]);
    // The same again changes nothing at all.
    let before = versions(&target, &first).await;
    let again = deploy(&target, &first, Some(&first)).await.done();
    assert_eq!((again.same, again.made.len() + again.changed.len() + again.anew.len()), (first.objects.len(), 0), "{again:?}");
    assert_eq!(versions(&target, &first).await, before);
    // One variable: its set and its pods, and nothing else.
    web(&mut bundle).plain.insert("MODE".into(), "slow".into());
    let second = manifests(&bundle, &target);
    let plan = sent(releases::plan(&target, &second, false)).await.unwrap();
    let lines = plan.lines();
    assert!(lines.contains(&"    data.MODE: \"fast\" → \"slow\"".to_owned()), "{lines:#?}");
    let changed = deploy(&target, &second, Some(&first)).await.done();
    assert_eq!(changed.changed, keys(&[("ConfigMap", "web-config"), ("Deployment", "web")]));
    // A secret's value shows nowhere, and rolls its pods.
    bundle.workloads[0].secret.insert("PASSWORD".into(), "other-other-other".into());
    let third = manifests(&bundle, &target);
    let told = format!("{:?}", sent(releases::plan(&target, &third, false)).await.unwrap());
    assert!(told.contains("data.PASSWORD") && !told.contains("other-other") && !told.contains(PASSWORD), "{told}");
    let changed = deploy(&target, &third, Some(&second)).await.done();
    assert_eq!(changed.changed, keys(&[("Secret", "db-secrets"), ("StatefulSet", "db")]));
    // A job that is to do something else runs anew.
    bundle.workloads[1].plain.insert("STEP".into(), "2".into());
    let fourth = manifests(&bundle, &target);
    let run = deploy(&target, &fourth, Some(&third)).await;
    run.place("migrate: ended well");
    let anew = run.done();
    assert_eq!((anew.anew, anew.made), (keys(&[("Job", "migrate")]), keys(&[("ConfigMap", "migrate-config")])));
    // What it no longer has goes; its data stays.
    let mut small = shop();
    small.workloads.retain(|workload| workload.name == "web");
    small.claims.clear();
    web(&mut small).waits.clear();
    let last = manifests(&small, &target);
    let pruned = deploy(&target, &last, Some(&fourth)).await.done();
    let gone = keys(&[
        ("ConfigMap", "migrate-config"),
        ("Secret", "db-secrets"),
        ("Service", "db"),
        ("StatefulSet", "db"),
        ("Job", "migrate"),
    ]);
    assert_eq!((pruned.pruned, pruned.kept), (gone, vec!["data".to_owned()]));
    let deleted = delete(&target, Some(&last), false).await;
    assert!(deleted.namespace && deleted.kept.is_empty(), "{deleted:?}");
    assert!(namespace(&target).await.is_none());
    assert_eq!(sent(releases::status(&target)).await.unwrap().overall, Overall::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_taken_over() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "foreign");
    let body = json!({ "metadata": { "name": target.namespace } });
    let spaces: Api<Namespace> = Api::all(target.calls.clone());
    spaces.create(&PostParams::default(), &serde_json::from_value(body).unwrap()).await.unwrap();
    let theirs = json!({ "metadata": { "name": "web", "annotations": { "meta.helm.sh/release-name": "front" } },
        "spec": { "ports": [{ "port": 1 }] } });
    api::<Service>(&target).create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
    let wanted = manifests(&light(), &target);
    let failed = deploy(&target, &wanted, None).await.failed();
    assert!(
        failed.refused && failed.why.contains("Service web") && failed.why.contains("the Helm release `front`"),
        "{failed:?}"
    );
    assert_eq!(left(&target).await, Vec::<String>::new());
    // Nor is a release of the same name that another made.
    api::<Service>(&target).delete("web", &DeleteParams::default()).await.unwrap();
    deploy(&target, &wanted, None).await.done();
    let other = Target { id: format!("{}-other", target.id), ..target.clone() };
    let failed = deploy(&other, &manifests(&light(), &other), None).await.failed();
    assert!(failed.refused && failed.why.contains("another release, `shop`"), "{failed:?}");
    // Deleting one leaves the other, and the namespace that was there before.
    assert_eq!(delete(&other, None, false).await.gone, []);
    let deleted = delete(&target, None, false).await;
    assert!(!deleted.namespace && deleted.stays.is_none(), "{deleted:?}");
    assert_eq!(left(&target).await, Vec::<String>::new());
    assert!(namespace(&target).await.is_some_and(|found| found.metadata.deletion_timestamp.is_none()));
    spaces.delete(&target.namespace, &DeleteParams::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_taken_back() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "fails");
    // At first nothing is there, and nothing stays.
    let mut bad = light();
    web(&mut bad).image = "play.gaggle.test/image-pull-back-off:1".into();
    let failed = deploy(&target, &manifests(&bad, &target), None).await.failed();
    assert!(failed.why.contains("The image `play.gaggle.test/image-pull-back-off:1` cannot be pulled"), "{failed:?}");
    assert!(failed.why.contains("not found") && !failed.why.contains("/project"), "{failed:?}");
    assert!(failed.undone.as_ref().is_some_and(|undone| undone.complete), "{failed:?}");
    assert!(namespace(&target).await.is_none());
    // Later the former state comes back; what ran never stopped.
    let good = manifests(&light(), &target);
    deploy(&target, &good, None).await.done();
    let pods = async || -> Vec<String> {
        let found = api::<Pod>(&target).list(&ListParams::default().labels("app.kubernetes.io/name=web")).await.unwrap();
        found
            .items
            .into_iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| pod.metadata.uid)
            .collect()
    };
    let served = pods().await;
    let mut bad = light();
    web(&mut bad).image = "play.gaggle.test/crash-loop:1".into();
    web(&mut bad).plain.insert("MODE".into(), "broken".into());
    bad.workloads.push(workload("extra", IMAGE, &[]));
    let failed = deploy(&target, &manifests(&bad, &target), Some(&good)).await.failed();
    assert_eq!(failed.workload.as_deref(), Some("web"));
    for part in ["Its container ends again and again (exit code 1)", "The last lines of its log"] {
        assert!(failed.why.contains(part), "{part}: {failed:?}");
    }
    let undone = failed.undone.unwrap();
    assert!(undone.complete && undone.what.contains("The former state is back"), "{undone:?}");
    assert!(api::<Deployment>(&target).get_opt("extra").await.unwrap().is_none());
    let config = api::<ConfigMap>(&target).get("web-config").await.unwrap();
    assert_eq!(config.data.unwrap()["MODE"], "fast");
    assert!(sent(releases::plan(&target, &good, false)).await.unwrap().is_nothing());
    let deadline = Instant::now() + PATIENCE;
    while pods().await != served {
        assert!(Instant::now() < deadline, "what served was replaced");
        sleep(Duration::from_millis(100)).await;
    }
    // A quota is told at once, and what is not ready in time with its reason.
    let mut slow = light();
    web(&mut slow).image = "play.gaggle.test/never-ready:1".into();
    let (steps, _told) = listener();
    let short = Patience { quiet: Duration::from_secs(3), most: Duration::from_secs(6) };
    let slow = manifests(&slow, &target);
    let failed =
        sent(releases::deploy(&target, &slow, Some(&good), false, &Journal::default(), &steps, short)).await.unwrap_err();
    assert!(failed.why.contains("its health check fails") && failed.why.contains("503"), "{failed:?}");
    delete(&target, Some(&good), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_stays_if_it_is_to() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "data");
    let wanted = manifests(&shop(), &target);
    deploy(&target, &wanted, None).await.done();
    let volume = async || api::<PersistentVolumeClaim>(&target).get("data").await.unwrap().metadata.uid;
    let before = volume().await;
    let deleted = delete(&target, Some(&wanted), true).await;
    assert_eq!((deleted.kept, deleted.namespace), (vec!["data".to_owned()], false));
    assert_eq!(left(&target).await, ["PersistentVolumeClaim data"]);
    // A deployment that fails leaves the data of an earlier one.
    let mut bad = shop();
    bad.workloads[0].image = "play.gaggle.test/image-pull-back-off:1".into();
    let failed = deploy(&target, &manifests(&bad, &target), None).await.failed();
    assert_eq!(failed.undone.unwrap().kept, ["data"]);
    assert_eq!(left(&target).await, ["PersistentVolumeClaim data"]);
    deploy(&target, &wanted, None).await.done();
    assert_eq!(volume().await, before);
    // The namespace stays while something else is in it.
    let theirs = json!({ "metadata": { "name": "theirs" } });
    api::<ConfigMap>(&target).create(&PostParams::default(), &serde_json::from_value(theirs).unwrap()).await.unwrap();
    let deleted = delete(&target, Some(&wanted), false).await;
    assert!(deleted.stays.is_some_and(|why| why.contains("ConfigMap theirs")));
    Api::<Namespace>::all(target.calls.clone()).delete(&target.namespace, &DeleteParams::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_shows() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "drift");
    let mut wanted = manifests(&light(), &target);
    deploy(&target, &wanted, None).await.done();
    let none: Vec<String> = Vec::new();
    assert_eq!(sent(releases::drift(&target, &wanted)).await.unwrap(), none);
    let how = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
    let image = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": "evil:1" }] } } } });
    api::<Deployment>(&target).patch("web", &how, &Patch::Strategic(image)).await.unwrap();
    let secret = json!({ "stringData": { "PASSWORD": "stolen-stolen" } });
    api::<Secret>(&target).patch("db-secrets", &how, &Patch::Merge(secret)).await.unwrap();
    api::<Service>(&target).delete("db", &DeleteParams::default()).await.unwrap();
    let drift = sent(releases::drift(&target, &wanted)).await.unwrap();
    assert_eq!(
        drift,
        [
            "Secret db-secrets: data.PASSWORD was changed".to_owned(),
            "Service db: deleted".to_owned(),
            format!("Deployment web: spec.template.spec.containers[web].image is \"evil:1\", was \"{IMAGE}\""),
        ]
    );
    deploy(&target, &wanted, Some(&wanted.clone())).await.done();
    assert_eq!(sent(releases::drift(&target, &wanted)).await.unwrap(), none);
    // What is done through us is none.
    assert_eq!(sent(releases::scale(&target, &mut wanted, "web", 3)).await.unwrap(), 1);
    sent(releases::restart(&target, &wanted, "web")).await.unwrap();
    assert_eq!(sent(releases::drift(&target, &wanted)).await.unwrap(), none);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = sent(releases::status(&target)).await.unwrap();
        let web = status.workloads.iter().find(|workload| workload.name == "web").unwrap();
        if (web.ready, web.updated, status.overall) == (3, 3, Overall::Ready) {
            break;
        }
        assert!(Instant::now() < deadline, "{status:#?}");
        sleep(Duration::from_millis(100)).await;
    }
    assert!(sent(releases::scale(&target, &mut wanted, "migrate", 2)).await.is_err());
    // What is kept of it brings it back, once its values are given again.
    let stored: Stored = serde_json::from_str(&serde_json::to_string(&Stored::of(&wanted, &[2; 32])).unwrap()).unwrap();
    let restored = stored.restore(&[2; 32], |_, _, _| Some(SecretSlice::from(PASSWORD.as_bytes().to_vec()))).unwrap();
    assert!(restored.other.is_empty());
    assert!(sent(releases::plan(&target, &restored.manifests, false)).await.unwrap().is_nothing());
    delete(&target, Some(&wanted), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn left_half_way() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "half");
    let mut slow = light();
    slow.workloads[0].image = "play.gaggle.test/slow-ready:1".into();
    let wanted = manifests(&slow, &target);
    let (steps, _told) = listener();
    let journal = Journal::default();
    let half = releases::deploy(&target, &wanted, None, false, &journal, &steps, patience());
    assert!(timeout(Duration::from_secs(3), half).await.is_err());
    assert!(!left(&target).await.is_empty());
    // By what was noted, it is taken back.
    let undone = sent(releases::undo(&target, None, &Journal::new(journal.entries()), &steps, patience())).await;
    assert!(undone.complete && undone.kept.is_empty(), "{undone:?}");
    assert!(namespace(&target).await.is_none());
    // Or it is just deployed again.
    let unread = Journal::default();
    let half = releases::deploy(&target, &wanted, None, false, &unread, &steps, patience());
    assert!(timeout(Duration::from_secs(3), half).await.is_err());
    deploy(&target, &wanted, None).await.done();
    // Without a journal, what was there before comes back, and what was not goes.
    let mut more = light();
    more.workloads[0].image = "play.gaggle.test/slow-ready:2".into();
    more.workloads.push(workload("extra", IMAGE, &[]));
    let more = manifests(&more, &target);
    let half = releases::deploy(&target, &more, Some(&wanted), false, &unread, &steps, patience());
    assert!(timeout(Duration::from_secs(3), half).await.is_err());
    let undone = sent(releases::undo(&target, Some(&wanted), &Journal::default(), &steps, patience())).await;
    assert!(undone.complete, "{undone:?}");
    let plan = sent(releases::plan(&target, &wanted, false)).await.unwrap();
    assert!(plan.is_nothing(), "{:#?}", plan.lines());
    delete(&target, Some(&wanted), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_its_pods() {
    let Some(corner) = corner(Nodes::Pretend).await else { return };
    let target = target(&corner, "pods");
    let mut bundle = light();
    web(&mut bundle).replicas = 2;
    // What the pretend logs say is this release's secret.
    bundle.workloads[0].secret.insert("WORD".into(), "listens on port".into());
    let wanted = manifests(&bundle, &target);
    deploy(&target, &wanted, None).await.done();
    let mut lines = sent(releases::logs(&target, "web", LogQuery::last(10))).await.unwrap();
    let mut all = Vec::new();
    while let Some(line) = lines.recv().await {
        all.push(line);
    }
    assert_eq!(all.len(), 6, "{all:?}");
    assert!(all.iter().all(|line| line.starts_with("[web-") && !line.contains("listens on port")), "{all:?}");
    let mut follow = sent(releases::logs(&target, "web", LogQuery { follow: true, ..LogQuery::last(1) })).await.unwrap();
    assert!(timeout(PATIENCE, follow.recv()).await.unwrap().is_some_and(|line| line.starts_with("[web-")));
    let command = vec!["echo".to_owned(), "it listens on port 1".to_owned()];
    let (_, mut execution) = sent(releases::exec(&target, "web", command)).await.unwrap();
    let mut output = Vec::new();
    while let Some(piece) = execution.output.recv().await {
        output.extend(piece);
    }
    assert_eq!((String::from_utf8(output).unwrap(), execution.code.await.unwrap().unwrap()), ("it [redacted] 1\n".into(), 0));
    let forward = sent(releases::forward(&target, "web", 8080, None, Duration::from_secs(60))).await.unwrap();
    assert!(forward.address.ip().is_loopback());
    let asked = async || -> std::io::Result<String> {
        let mut socket = tokio::net::TcpStream::connect(forward.address).await?;
        socket.write_all(b"GET /health HTTP/1.0\r\n\r\n").await?;
        // Pretend pods do not say that they have closed.
        let mut answer = [0; 6];
        socket.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    assert!(asked().await.unwrap().starts_with("HTTP/1"));
    let pods = api::<Pod>(&target);
    let of_web = ListParams::default().labels("app.kubernetes.io/name=web");
    pods.delete_collection(&DeleteParams::default(), &of_web).await.unwrap();
    // Others take their place, and it leads there.
    let deadline = Instant::now() + PATIENCE / 2;
    loop {
        let answer = asked().await;
        if answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1")) {
            break;
        }
        assert!(Instant::now() < deadline, "the forward does not come back: {answer:?}");
        sleep(Duration::from_millis(200)).await;
    }
    let address = forward.address;
    drop(forward);
    sleep(Duration::from_millis(200)).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let gone: Value = serde_json::to_value(delete(&target, Some(&wanted), false).await.gone).unwrap();
    assert!(gone.as_array().is_some_and(|keys| keys.len() == wanted.objects.len()), "{gone}");
}
