//! What `gaggle check` and `/status` tell of the cluster: which one it is, whether it answers, what Gaggle may do there.

use super::client::{self, Clients};
use super::options::Access;
use super::permissions;
use super::trouble::{self, Trouble};
use crate::runtime::Health;

/// Which cluster it is, and whether it answers.
pub async fn reached(clients: &Clients) -> Vec<Health> {
    let ok = |what: &str, found: String| Health { what: what.to_owned(), found, fault: None };
    let mut rows = vec![ok("cluster", format!("{} by {}", clients.server, clients.source))];
    let version = trouble::retried(|| clients.calls.apiserver_version()).await;
    match version {
        Ok(version) => rows.push(ok("server version", version.git_version)),
        Err(trouble) => {
            let fault = match trouble {
                Trouble::Unauthorized => "renew the credentials".to_owned(),
                _ => "mend the address, the network or the certificate, or start the cluster".to_owned(),
            };
            rows.push(Health { what: "server version".into(), found: trouble.short(), fault: Some(fault) });
        }
    }
    rows
}

/// What `gaggle check` tells of the cluster: where its credentials are from, whether it answers, what Gaggle may do there.
pub async fn check(access: &Access) -> Vec<Health> {
    let clients = match client::connect(access).await {
        Ok(clients) => clients,
        Err(error) => {
            let (found, fault) = match client::source(access) {
                None => (client::NONE.to_owned(), client::SOURCES),
                Some(_) => (format!("{error:#}"), "mend them, or unset them so that others are taken"),
            };
            return vec![Health { what: "cluster".into(), found, fault: Some(fault.to_owned()) }];
        }
    };
    let mut rows = reached(&clients).await;
    if rows.iter().any(|row| row.fault.is_some()) {
        return rows;
    }
    let (who, granted) = match tokio::try_join!(permissions::who(&clients), permissions::review(&clients)) {
        Ok(told) => told,
        Err(trouble) => {
            let fault = Some("let Gaggle ask what it may do (system:basic-user)".to_owned());
            rows.push(Health { what: "permissions".into(), found: trouble.short(), fault });
            return rows;
        }
    };
    rows.push(Health { what: "identity".into(), found: who.clone(), fault: None });
    let mut missing = Vec::new();
    for (rule, verbs) in &granted {
        let shown: Vec<String> = verbs.iter().map(|(verb, yes)| format!("{verb} {}", if *yes { "yes" } else { "NO" })).collect();
        let not: Vec<&str> = verbs.iter().filter(|(_, yes)| !yes).map(|(verb, _)| *verb).collect();
        let group = if rule.group.is_empty() { String::new() } else { format!(".{}", rule.group) };
        let fault = (!not.is_empty()).then(|| format!("may not {} ({})", not.join(", "), rule.why));
        rows.push(Health { what: format!("{}{group}", rule.resource), found: shown.join(", "), fault });
        if !not.is_empty() {
            missing.push((*rule, not));
        }
    }
    if !missing.is_empty() {
        const NAME: &str = "gaggle-missing";
        let mends = permissions::cluster_role(NAME, missing) + "---\n" + &permissions::cluster_role_binding(NAME, &who);
        rows.push(Health {
            what: "missing rules".into(),
            found: "the rows above that say NO".into(),
            fault: Some(format!("have this applied:\n{mends}")),
        });
    }
    rows
}
