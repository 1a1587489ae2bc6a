//! `[access]`: who has which role, and who may run commands.

use std::collections::{HashMap, HashSet};

use gaggle_commands::Role;

use super::reader::Reader;
use crate::access::Policy;

const SURFACES: &[&str] = &["console", "slack", "discord"];
/// Who sits at the console.
const OPERATOR: &str = "console:operator";

pub fn read(reader: &mut Reader) -> Policy {
    let mut roles = Roles::default();
    let lists = [("access.admins", Role::Admin), ("access.members", Role::Member), ("access.viewers", Role::Viewer)];
    for (key, role) in lists {
        for (place, identity) in reader.list(key).unwrap_or_default().into_iter().enumerate() {
            roles.give(reader, key, &format!("entry {}", place + 1), identity, Some(role));
        }
    }
    for (place, (identity, name)) in reader.pairs("access.roles").unwrap_or_default().into_iter().enumerate() {
        let role = [Role::Viewer, Role::Member, Role::Admin].into_iter().find(|role| role.to_string() == name);
        roles.give(reader, "access.roles", &format!("entry {}", place + 1), identity, role);
    }
    let default_role = default_role(reader);
    let mut roles: HashMap<_, _> = roles.0.into_iter().map(|(who, (role, _))| (who, role)).collect();
    roles.entry(OPERATOR.to_owned()).or_insert(Role::Admin);
    Policy { default_role, roles, executors: executors(reader), cluster_rules: super::clusters::rules(reader) }
}

fn executors(reader: &mut Reader) -> HashSet<String> {
    let mut named = HashSet::new();
    for (place, identity) in reader.list("access.executors").unwrap_or_default().into_iter().enumerate() {
        match is_identity(&identity) {
            true => drop(named.insert(identity)),
            false => no_identity(reader, "access.executors", &format!("entry {}", place + 1)),
        }
    }
    named
}

fn no_identity(reader: &mut Reader, key: &str, place: &str) {
    let fix = "write it as `surface:id` with the surface console, slack or discord, as `slack:U012AB3CD`";
    reader.fault(key, format!("has no identity in {place}"), fix);
}

fn default_role(reader: &mut Reader) -> Option<Role> {
    // An owner is one of a project, so nobody is owner in general.
    let choices = [("viewer", Some(Role::Viewer)), ("member", Some(Role::Member)), ("admin", Some(Role::Admin)), ("none", None)];
    let role = reader.choice("access.default_role", &choices).unwrap_or(Some(Role::Member));
    if role == Some(Role::Admin) {
        reader.warn("access.default_role: everybody on a connected surface is an admin");
    }
    role
}

/// By identity, with the key that gave it.
#[derive(Default)]
struct Roles(HashMap<String, (Role, &'static str)>);

impl Roles {
    fn give(&mut self, reader: &mut Reader, key: &'static str, place: &str, identity: String, role: Option<Role>) {
        if !is_identity(&identity) {
            no_identity(reader, key, place);
        } else if let Some(role) = role {
            match self.0.get(&identity) {
                Some((other, by)) if *other != role => {
                    reader.fault(key, format!("makes `{identity}` {role}, who is {other} by {by}"), "give everybody one role")
                }
                _ => {
                    self.0.insert(identity, (role, key));
                }
            }
        } else {
            let what = format!("gives `{identity}` none of the roles that there are");
            reader.fault(key, what, "use `viewer`, `member` or `admin`; an owner is one of a project");
        }
    }
}

pub fn is_identity(text: &str) -> bool {
    text.split_once(':').is_some_and(|(surface, id)| {
        SURFACES.contains(&surface)
            && (1..=128).contains(&id.len())
            && !id.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}
