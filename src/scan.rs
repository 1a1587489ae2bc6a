//! What runs in a cluster that services can use: databases, queues, and the like, found by evidence.
//!
//! Read (`list`, `objects`), put together (`state`), judge each Service (`weigh`, `external`; `serving` and `image` for its pods), unite
//! to instances (`findings`), each with where it is reached (`endpoints`) and the names of its Secrets (`secrets`). What is looked for
//! stands in `table`. Invariant: writes nothing, reads no Secret's value, and never takes "may not be read" for "is not there".

mod endpoints;
mod external;
mod findings;
mod image;
mod kinds;
mod lexicon;
mod list;
mod objects;
mod secrets;
mod serving;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod weigh;
mod words;

use std::collections::BTreeSet;

use kube::Client;

pub use self::kinds::{KindRow, Kinds, Wants};
use self::list::{Reader, Resource};
use self::objects::{Controller, Meta, Node, Object, Pod, Service, Slice};
use self::state::State;
use self::weigh::Weigher;
use crate::model::Timestamp;
use crate::model::infra::KindName;
pub use crate::model::infra::{Scan, Scope};
use crate::runtime::kubernetes::trouble::Trouble;

const SERVICES: Resource = Resource::new("/api/v1", "services");
const PODS: Resource = Resource::new("/api/v1", "pods");
const NODES: Resource = Resource::new("/api/v1", "nodes");
const SECRETS: Resource = Resource::metadata("secrets");
const SLICES: Resource = Resource::new("/apis/discovery.k8s.io/v1", "endpointslices");
const DEPLOYMENTS: Resource = Resource::new("/apis/apps/v1", "deployments");
const STATEFUL_SETS: Resource = Resource::new("/apis/apps/v1", "statefulsets");

/// With findings in more namespaces than these, the whole scope is read at once.
const FEW: usize = 16;

/// Looks for the kinds. Fails where the cluster does not answer, the credentials are no longer good, or the namespace is not there;
/// what may not be read is told in the result.
pub async fn scan(client: &Client, scope: &Scope, kinds: &Kinds) -> Result<Scan, Trouble> {
    if let Scope::Namespace(name) = scope
        && !is_label(name)
    {
        return Err(Trouble::NotFound(format!("the namespace {name}")));
    }
    let reader = Reader::new(client.clone(), scope.clone());
    let lists = tokio::try_join!(reader.exists(), reader.all(SERVICES), reader.all(SLICES), reader.all(PODS));
    let ((), services, slices, pods): ((), Vec<Service>, Vec<Slice>, Vec<Pod>) = lists?;
    let count = services.len();
    let mut state = State::new(services, slices, pods);
    let undecided = Weigher::new(kinds, &state).undecided();
    if !undecided.is_empty() {
        let near = namespaces(&state, undecided.iter().copied());
        let (deployments, stateful) = tokio::try_join!(some(&reader, DEPLOYMENTS, &near), some(&reader, STATEFUL_SETS, &near))?;
        let stateful = stateful.into_iter().map(|set: Controller| Controller { stateful: true, ..set });
        state.add_controllers(deployments.into_iter().chain(stateful).collect(), &undecided);
    }
    let matches = Weigher::new(kinds, &state).all();
    let near = namespaces(&state, matches.iter().map(|m| m.service));
    let node_ports = matches.iter().any(|m| state.services[m.service].spec.kind == "NodePort");
    let (nodes, secrets) = tokio::try_join!(
        async { if node_ports { reader.cluster::<Node>(NODES).await } else { Ok(Vec::new()) } },
        some(&reader, SECRETS, &near)
    )?;
    state.secrets = secrets.into_iter().map(|secret: Object| secret.metadata).collect::<Vec<Meta>>();
    state.nodes = nodes;
    let unreadable = reader.unreadable();
    let hidden = unreadable.iter().find(|u| u.resource == NODES.plural).map(|u| u.why.as_str());
    let nodes = hidden.map_or(Ok(state.nodes.as_slice()), Err);
    let findings = findings::findings(kinds, &state, &matches, nodes);
    let kinds = kinds.rows().iter().map(|row| KindName { name: row.name.clone(), default_port: row.default_port() }).collect();
    Ok(Scan { scope: scope.clone(), taken: Timestamp::now(), kinds, findings, unreadable, services: count })
}

/// What a namespace may be called; nothing else may stand in a path.
fn is_label(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(valid)
}

fn namespaces(state: &State, services: impl Iterator<Item = usize>) -> Vec<String> {
    let names: BTreeSet<&str> = services.map(|at| state.services[at].metadata.namespace.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// No more is read than is asked about, unless that would be many small lists.
async fn some<T>(reader: &Reader, resource: Resource, namespaces: &[String]) -> Result<Vec<T>, Trouble>
where
    T: serde::de::DeserializeOwned + Send + 'static,
{
    if namespaces.len() > FEW { reader.all(resource).await } else { reader.some(resource, namespaces).await }
}
