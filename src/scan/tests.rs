//! The scan against a stand-in of the API server: sets of Services with what must be found and what must not.

mod endpoints;
mod more;
mod rights;
mod sets;
mod standin;

use standin::{Standin, objects};

use super::{Kinds, Scan, Scope};

pub async fn scanned(text: &str) -> Scan {
    let standin = Standin::start(objects(text)).await;
    super::scan(&standin.client, &Scope::All, &Kinds::builtin()).await.unwrap()
}

/// The findings, as `kind=service:port` of the best endpoint, sorted.
pub fn told(scan: &Scan) -> Vec<String> {
    let port = |f: &crate::model::infra::Finding| f.endpoints.first().map(|e| e.port).unwrap_or_default();
    let mut all: Vec<String> = scan.findings.iter().map(|f| format!("{}={}:{}", f.kind, f.name, port(f))).collect();
    all.sort();
    all
}

#[tokio::test]
async fn no_false_finding_and_none_missed() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for set in
        sets::SETS.iter().chain(more::SETS).flat_map(|sets| sets.split("\n\n")).map(str::trim).filter(|set| !set.is_empty())
    {
        count += 1;
        let (title, rest) = set.split_once('\n').unwrap();
        let (objects, wanted) = rest.rsplit_once("->").unwrap();
        let scan = scanned(objects).await;
        let mut wanted: Vec<&str> = wanted.split_whitespace().filter(|w| *w != "nothing").collect();
        wanted.sort_unstable();
        let found = told(&scan);
        if found != wanted {
            let why: Vec<_> = scan.findings.iter().map(|f| (&f.kind, &f.name, &f.evidence)).collect();
            wrong.push(format!("{title}: wanted {wanted:?}, found {found:?}\n    {why:?}"));
        }
        let data = scan.data();
        assert_eq!(data.len(), scan.kinds.len());
        assert!(data.values().all(|row| row["found"].is_boolean() && row["endpoints"].is_array()), "{title}");
    }
    assert!(wrong.is_empty(), "{} of {count} sets:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 100, "{count}");
}
