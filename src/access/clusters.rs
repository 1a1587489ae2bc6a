//! Who may do what in which namespace of which cluster.
//!
//! Invariants: an admin may everything; who added a cluster owns it; what an admin added is the team's unless rules say who may use
//! clusters; a namespace that no rule gives is refused before anything is asked of the cluster.

use std::collections::HashMap;

use gaggle_commands::{ClusterCommand, Command, InfraCommand, Role, ServiceCommand, Site};

use super::{Caller, Policy, keys};
use crate::error::{Result, refused};
use crate::model::{Actor, Cluster, ClusterId, Origin, PersonId, Release};
use crate::store::Store;

/// `[clusters.rules]` of the configuration. What no rule gives is nobody's but admins' and owners'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRule {
    /// Identities as in `[access]`, or `everybody`.
    pub who: Vec<String>,
    /// Names, in which `*` stands for anything.
    pub clusters: Vec<String>,
    pub namespaces: Vec<String>,
    /// Viewer or member.
    pub role: Role,
}

impl Policy {
    /// What somebody is to a namespace of a cluster; `None` for a namespace: to any of it.
    pub fn role_on_cluster(&self, caller: &Caller, cluster: &Cluster, namespace: Option<&str>) -> Option<Role> {
        let general = caller.role?;
        if caller.is_admin() {
            return Some(Role::Admin);
        }
        if cluster.owner == caller.person {
            return Some(Role::Owner);
        }
        // Nobody's by default: a cluster's own parts are whoever runs it's.
        if self.cluster_rules.is_empty() && namespace.is_some_and(|namespace| namespace.starts_with("kube-")) {
            return cluster.shared.then_some(general.min(Role::Viewer));
        }
        if self.cluster_rules.is_empty() {
            return cluster.shared.then_some(general.min(Role::Member));
        }
        let own = caller.origin.actor.key();
        let keys: Vec<&str> = keys(&caller.person, &own, &caller.origin.actor).collect();
        let fits = |rule: &&ClusterRule| {
            rule.who.iter().any(|who| who == "everybody" || keys.contains(&who.as_str()))
                && rule.clusters.iter().any(|pattern| like(pattern, &cluster.name))
                && namespace.is_none_or(|namespace| rule.namespaces.iter().any(|pattern| like(pattern, namespace)))
        };
        self.cluster_rules.iter().filter(fits).map(|rule| rule.role.min(general)).max()
    }

    /// Whether a project may be used in this namespace: by the right of its owner, or of whoever uses it now. In which groups an owner is
    /// who is not there, nobody tells.
    pub fn may_run(&self, caller: &Caller, owner: &PersonId, cluster: &Cluster, namespace: Option<&str>) -> bool {
        let has = |caller: &Caller| self.role_on_cluster(caller, cluster, namespace).is_some_and(|role| role >= Role::Member);
        if has(caller) {
            return true;
        }
        let (surface, id) = owner.0.split_once(':').unwrap_or(("", &owner.0));
        let actor = Actor { surface: surface.to_owned(), id: id.to_owned(), name: String::new(), groups: Vec::new() };
        let role = self.role(owner, &actor);
        has(&Caller {
            person: owner.clone(),
            role,
            origin: Origin { actor: actor.into(), ..caller.origin.clone() },
            ..caller.clone()
        })
    }

    /// Whether somebody may look into every namespace at once.
    pub fn sees_all_of(&self, caller: &Caller, cluster: &Cluster) -> bool {
        let own = caller.origin.actor.key();
        let keys: Vec<&str> = keys(&caller.person, &own, &caller.origin.actor).collect();
        caller.is_admin()
            || cluster.owner == caller.person
            || (self.cluster_rules.is_empty() && cluster.shared)
            || self.cluster_rules.iter().any(|rule| {
                rule.who.iter().any(|who| who == "everybody" || keys.contains(&who.as_str()))
                    && rule.clusters.iter().any(|pattern| like(pattern, &cluster.name))
                    && rule.namespaces.iter().any(|pattern| pattern == "*")
            })
    }

    /// What somebody is to a release: its owner may do all with it, others what they may in its namespace.
    pub fn role_on_release(&self, caller: &Caller, release: &Release, cluster: &Cluster) -> Option<Role> {
        let role = self.role_on_cluster(caller, cluster, Some(&release.namespace))?;
        if role == Role::Admin {
            return Some(role);
        }
        // Who may only look there may not do more with what was once theirs.
        match release.owner == caller.person {
            true if role >= Role::Member => Some(Role::Owner),
            _ => Some(role.min(Role::Viewer)),
        }
    }
}

/// Whether a text is as a pattern says, in which `*` stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(rest, &text[at..]))
}

/// The clusters that somebody may at least look into.
pub async fn visible_clusters(store: &Store, policy: &Policy, caller: &Caller) -> Result<Vec<Cluster>> {
    let mut all = store.clusters().await?;
    all.retain(|cluster| policy.role_on_cluster(caller, cluster, None).is_some());
    Ok(all)
}

/// The cluster and the namespace that somebody means.
#[derive(Debug, Clone)]
pub struct Meant {
    pub cluster: Cluster,
    pub namespace: String,
}

/// The cluster that is named, or else the channel's, or the only one; and the namespace that goes with it.
pub async fn meant(
    store: &Store,
    policy: &Policy,
    caller: &Caller,
    cluster: Option<&str>,
    namespace: Option<&str>,
) -> Result<Meant> {
    let mut visible = visible_clusters(store, policy, caller).await?;
    let here = store.channel_cluster(&caller.origin.conversation.channel()).await?;
    let cluster = match cluster {
        Some(name) => match visible.iter().position(|c| c.name == name) {
            Some(at) => visible.swap_remove(at),
            None => return refused(unknown(name, &visible)),
        },
        None => {
            let of_channel = here.as_ref().and_then(|here| visible.iter().position(|c| c.id == here.cluster));
            let only = (visible.len() == 1).then_some(0);
            let own = visible.iter().position(Cluster::is_own);
            match of_channel.or(only).or(own) {
                Some(at) => visible.swap_remove(at),
                None if visible.is_empty() => {
                    return refused("There is no cluster that you may use yet. Add one with `/cluster add NAME`.");
                }
                None => {
                    let names: Vec<String> = visible.iter().map(|c| format!("`{}`", c.name)).collect();
                    return refused(format!(
                        "Which cluster? Say `--cluster` with one of {}, or make one this channel's with `/cluster default NAME`.",
                        names.join(", ")
                    ));
                }
            }
        }
    };
    let of_channel = here.filter(|here| here.cluster == cluster.id).and_then(|here| here.namespace);
    let usual = of_channel.or_else(|| cluster.namespace.clone());
    let namespace = namespace.map(str::to_owned).or(usual).unwrap_or_else(|| "default".to_owned());
    Ok(Meant { cluster, namespace })
}

fn unknown(name: &str, visible: &[Cluster]) -> String {
    let near = visible.iter().map(|c| c.name.as_str()).min_by_key(|n| strsim::damerau_levenshtein(n, name));
    let near = near.filter(|n| strsim::damerau_levenshtein(n, name) <= 2);
    let hint = near.map_or_else(
        || "See all with `/cluster list`, or add it with `/cluster add NAME`.".to_owned(),
        |near| format!("Did you mean `{near}`?"),
    );
    format!("There is no cluster `{name}` that you can see. {hint}")
}

/// What a command about a cluster names: the cluster, and the namespace in it.
pub(super) fn named(command: &Command) -> (Option<&str>, Option<&str>) {
    match command {
        Command::Cluster(command) => match command {
            ClusterCommand::Add { .. } | ClusterCommand::List => (None, None),
            ClusterCommand::Show { cluster } | ClusterCommand::Check { cluster } | ClusterCommand::Namespaces { cluster } => {
                (cluster.as_deref(), None)
            }
            ClusterCommand::Update { cluster, .. }
            | ClusterCommand::Tag { cluster, .. }
            | ClusterCommand::Rename { cluster, .. }
            | ClusterCommand::Remove { cluster, .. } => (Some(cluster), None),
            ClusterCommand::Default { cluster, namespace } => (Some(cluster), namespace.as_deref()),
        },
        Command::Infra(InfraCommand::Scan { site, .. }) => at(site),
        Command::Service(command) => site_of(command).map_or((None, None), at),
        _ => (None, None),
    }
}

fn at(site: &Site) -> (Option<&str>, Option<&str>) {
    (site.cluster.as_deref(), site.namespace.as_deref())
}

fn site_of(command: &ServiceCommand) -> Option<&Site> {
    match command {
        ServiceCommand::Add { .. } | ServiceCommand::Catalogue { .. } | ServiceCommand::Show { .. } => None,
        ServiceCommand::Deploy { site, .. }
        | ServiceCommand::Env { site, .. }
        | ServiceCommand::List { site }
        | ServiceCommand::Status { site, .. }
        | ServiceCommand::Logs { site, .. }
        | ServiceCommand::Restart { site, .. }
        | ServiceCommand::Scale { site, .. }
        | ServiceCommand::Exec { site, .. }
        | ServiceCommand::PortForward { site, .. }
        | ServiceCommand::Update { site, .. }
        | ServiceCommand::Rollback { site, .. }
        | ServiceCommand::Delete { site, .. }
        | ServiceCommand::Manifests { site, .. }
        | ServiceCommand::Export { site, .. } => Some(site),
    }
}

fn release_of(command: &Command) -> Option<&str> {
    let Command::Service(command) = command else { return None };
    match command {
        ServiceCommand::Status { release, .. }
        | ServiceCommand::Logs { release, .. }
        | ServiceCommand::Restart { release, .. }
        | ServiceCommand::Scale { release, .. }
        | ServiceCommand::Exec { release, .. }
        | ServiceCommand::PortForward { release, .. }
        | ServiceCommand::Update { release, .. }
        | ServiceCommand::Rollback { release, .. }
        | ServiceCommand::Delete { release, .. }
        | ServiceCommand::Manifests { release, .. }
        | ServiceCommand::Export { release, .. } => Some(release),
        ServiceCommand::Add { .. }
        | ServiceCommand::Catalogue { .. }
        | ServiceCommand::Show { .. }
        | ServiceCommand::Deploy { .. }
        | ServiceCommand::Env { .. }
        | ServiceCommand::List { .. } => None,
    }
}

/// Refused if a release is not theirs to change.
pub fn may_change(policy: &Policy, caller: &Caller, release: &Release, cluster: &Cluster) -> Result<()> {
    match policy.role_on_release(caller, release, cluster) {
        Some(role) if role >= Role::Member => Ok(()),
        _ => refused(format!(
            "The release `{}` in `{}` of the cluster `{}` is {}'s. Choose another name, or ask them.",
            release.name,
            release.namespace,
            cluster.name,
            release.owner.short()
        )),
    }
}

/// The releases that somebody may at least look at, each with its cluster.
pub async fn visible_releases(store: &Store, policy: &Policy, caller: &Caller) -> Result<Vec<(Release, Cluster)>> {
    let clusters: HashMap<ClusterId, Cluster> =
        visible_clusters(store, policy, caller).await?.into_iter().map(|c| (c.id.clone(), c)).collect();
    let mut all: Vec<(Release, Cluster)> = store
        .releases()
        .await?
        .into_iter()
        .filter_map(|release| Some((clusters.get(&release.cluster)?.clone(), release)))
        .filter(|(cluster, release)| policy.role_on_release(caller, release, cluster).is_some())
        .map(|(cluster, release)| (release, cluster))
        .collect();
    all.sort_by(|(a, in_a), (b, in_b)| (&in_a.name, &a.namespace, &a.name).cmp(&(&in_b.name, &b.namespace, &b.name)));
    Ok(all)
}

/// Where the release is that is to be changed or made: where one of that name is already, unless the command says where.
pub(super) async fn of_release(store: &Store, policy: &Policy, caller: &Caller, command: &Command) -> Result<Option<Meant>> {
    let Command::Service(ServiceCommand::Env { release: name, site, .. }) = command else { return Ok(None) };
    if *site != Site::default() {
        return Ok(None);
    }
    let mut found = visible_releases(store, policy, caller).await?;
    found.retain(|(release, _)| release.name == *name);
    Ok(match found.len() {
        1 => found.pop().map(|(release, cluster)| Meant { cluster, namespace: release.namespace }),
        _ => None,
    })
}

/// The release that a command names: where its flags say, else where the channel means, else the only one of that name.
pub(super) async fn find_release(
    store: &Store,
    policy: &Policy,
    caller: &Caller,
    command: &Command,
) -> Result<(Release, Cluster)> {
    let name = release_of(command).unwrap_or_default();
    let (cluster, namespace) = named(command);
    let mut found = visible_releases(store, policy, caller).await?;
    found.retain(|(r, c)| {
        r.name == name && cluster.is_none_or(|named| c.name == named) && namespace.is_none_or(|named| r.namespace == named)
    });
    if found.len() > 1
        && let Ok(here) = meant(store, policy, caller, cluster, namespace).await
        && let Some(at) = found.iter().position(|(r, c)| c.id == here.cluster.id && r.namespace == here.namespace)
    {
        return Ok(found.swap_remove(at));
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => refused(format!("There is no release `{name}` that you can see. See all with `/service list`.")),
        _ => {
            let places: Vec<String> =
                found.iter().map(|(r, c)| format!("`--cluster {} --namespace {}`", c.name, r.namespace)).collect();
            refused(format!("Which release `{name}`? Say {}.", places.join(" or ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_used_by_the_right_of_its_owner_or_of_its_user() {
        use crate::model::ConversationId;
        let policy = |who: &str| Policy {
            default_role: Some(Role::Member),
            cluster_rules: vec![ClusterRule {
                who: vec![who.to_owned()],
                clusters: vec!["prod".to_owned()],
                namespaces: vec!["team-*".to_owned()],
                role: Role::Member,
            }],
            ..Policy::default()
        };
        let bob = |groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let actor = Actor { surface: "slack".into(), id: "B".into(), name: "bob".into(), groups };
            let origin = Origin { actor: actor.into(), conversation: ConversationId("slack:C".into()), input: None };
            Caller { person: PersonId("slack:B".into()), role: Some(Role::Member), executes: false, here: None, origin }
        };
        let ann = PersonId("slack:A".into());
        let cluster: Cluster = serde_json::from_value(serde_json::json!({
            "id": "c", "name": "prod", "owner": "slack:ADMIN", "shared": true, "server": "https://a", "kind": "token",
            "created": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let may = |who: &str, groups: &[&str]| policy(who).may_run(&bob(groups), &ann, &cluster, Some("team-ann"));
        // By name, either of both; by a group, who is there.
        assert!(may("slack:A", &[]) && may("slack:B", &[]) && may("slack:STEAM", &["slack:STEAM"]));
        assert!(!may("slack:STEAM", &[]) && !may("slack:E", &[]));
        assert!(!policy("slack:A").may_run(&bob(&[]), &ann, &cluster, Some("other")));
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("prod", "prod", true),
            ("prod", "prod2", false),
            ("*", "", true),
            ("team-*", "team-a", true),
            ("team-*", "steam-a", false),
            ("*-eu-*", "prod-eu-1", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
