//! What things of the cluster are called.
//!
//! Invariant: two owners never share a namespace, and two projects never share a host name. A name that says all is taken as it
//! is; one that had to be changed gets a hash of the whole, and a name that looks as if it had one gets one too, so that the two
//! sorts never meet. All of them are labels of DNS, except for host names, which are several.

use sha2::{Digest, Sha256};

use crate::model::{PersonId, ProjectId};

/// The longest label of DNS.
const LABEL: usize = 63;
/// Leaves room for a prefix.
const SLUG: usize = 40;
/// The longest prefix of a namespace.
pub const PREFIX: usize = LABEL - SLUG;
const HASH: usize = 10;

/// The namespace of somebody's projects. `prefix` is the operator's, at most [`PREFIX`] long.
pub fn namespace(prefix: &str, owner: &PersonId) -> String {
    format!("{prefix}{}", slug(owner))
}

/// A person as a label.
pub fn slug(person: &PersonId) -> String {
    let id = &person.0;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match id.split_once(':') {
        Some((surface, name)) if plain(surface) && plain(name) => whole(format!("{surface}-{name}"), id, SLUG),
        _ => hashed(id, id, SLUG),
    }
}

/// A project's name as a label, among those of its owner.
pub fn label(name: &str) -> String {
    match is_label(name) {
        true => whole(name.to_owned(), name, LABEL),
        false => hashed(name, name, LABEL),
    }
}

/// Where an Ingress offers a project. `domain` is the operator's.
pub fn host(name: &str, owner: &PersonId, domain: &str) -> String {
    let (project, person) = (label(name), slug(owner));
    let both = format!("{project}-{person}");
    let of = format!("{name}\0{owner}");
    // Only a person with one hyphen can be told from the end of a name that has some.
    let clear = project == name && !has_hash(&person) && person.matches('-').count() == 1;
    format!("{}.{domain}", if clear { whole(both, &of, LABEL) } else { hashed(&both, &of, LABEL) })
}

/// ServiceAccount, Secret, ConfigMap, and the recommended label `instance`.
pub fn project(id: &ProjectId) -> String {
    format!("proj-{id}")
}

/// Deployment, Service, Ingress.
pub fn api(id: &ProjectId) -> String {
    format!("proj-{id}-api")
}

/// The volume's claim.
pub fn data(id: &ProjectId) -> String {
    format!("proj-{id}-data")
}

/// Whether this is a label of DNS (RFC 1123).
pub fn is_label(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= LABEL
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// Whether this is a name of DNS: labels with dots between them.
pub fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether a label of Kubernetes may have this value.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_name_part(text)
}

/// Whether a label of Kubernetes may have this name: `name` or `domain/name`.
pub fn is_label_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_domain(domain) && is_name_part(name),
        None => is_name_part(text),
    }
}

fn is_name_part(text: &str) -> bool {
    (1..=LABEL).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The first digits of the SHA-256 of something, in hexadecimal.
pub fn hash(of: &[u8], digits: usize) -> String {
    Sha256::digest(of).iter().flat_map(|byte| [byte >> 4, byte & 15]).take(digits).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

/// As it is, unless that is too long or could be taken for a name with a hash.
fn whole(name: String, of: &str, most: usize) -> String {
    match name.len() <= most && !has_hash(&name) {
        true => name,
        false => hashed(&name, of, most),
    }
}

fn has_hash(name: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.rsplit_once('-').is_some_and(|(_, end)| end.len() == HASH && end.bytes().all(digit))
}

/// What can be kept of `text`, and the hash of what it stands for.
fn hashed(text: &str, of: &str, most: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => kept.push(c),
            _ if !kept.is_empty() && !kept.ends_with('-') => kept.push('-'),
            _ => {}
        }
        if kept.len() == most - HASH - 1 {
            break;
        }
    }
    let kept = kept.trim_end_matches('-');
    format!("{}-{}", if kept.is_empty() { "id" } else { kept }, hash(of.as_bytes(), HASH))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(id: &str) -> PersonId {
        PersonId(id.to_owned())
    }

    #[test]
    fn names_that_people_can_read() {
        assert_eq!(namespace("user-", &person("console:operator")), "user-console-operator");
        assert_eq!(namespace("user-", &person("discord:80351110224678912")), "user-discord-80351110224678912");
        assert_eq!(namespace("user-", &person("slack:U012AB3CD")), "user-slack-u012ab3cd-8b7c0e7cb7");
        assert_eq!(namespace("user-", &person("console:Jörg Müller")), "user-console-j-rg-m-ller-b84261bf9c");
        assert_eq!(namespace("user-", &person("::")), "user-id-71546855d6");
        assert_eq!(host("demo", &person("console:operator"), "example.com"), "demo-console-operator.example.com");
    }

    #[test]
    fn names_that_could_meet_do_not() {
        let ids = [
            "console:a-b",
            "console-a:b",
            "console:a:b",
            "console:A",
            "console:a",
            "consolea",
            "console:",
            ":console",
            "",
            "-",
            ":",
            "console:a ",
            "console:a\u{0}",
            "console:ä",
            "console:ö",
            "console:0123456789",
            "console:x-0123456789",
        ];
        let mut names: Vec<_> = ids.iter().map(|id| namespace("u-", &person(id))).collect();
        assert!(names.iter().all(|name| is_label(name)), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ids.len(), "{names:?}");
        // The hash of one is not to be had as the name of another.
        let taken = slug(&person("console:A"));
        let (_, hash) = taken.rsplit_once('-').unwrap();
        assert_ne!(slug(&person(&format!("console:{hash}"))), format!("console-{hash}"));
        assert_ne!(host("a", &person("b:c-d"), "x"), host("a-b", &person("c:d"), "x"));
        assert_ne!(host("a-b", &person("c:d"), "x"), host("a", &person("b-c:d"), "x"));
    }

    fn id() -> impl Strategy<Value = String> {
        prop_oneof![".{0,90}", "[a-cA-C]{0,3}[:-][a-b-]{0,4}", "(slack|console):[a-f0-9]{8,12}", "[a-z]{1,50}:[a-z0-9]{1,60}"]
    }

    proptest! {
        #[test]
        fn no_two_people_share_a_namespace(one in id(), other in id()) {
            let name = namespace("a23-characters-prefix--", &person(&one));
            prop_assert!(is_label(&name), "{}", name);
            prop_assert_eq!(slug(&person(&one)) == slug(&person(&other)), one == other);
        }

        #[test]
        fn no_two_projects_share_a_host(
            one in ("[a-b][a-b0-9-]{0,5}|[a-z][a-z0-9-]{30,39}", id()),
            other in ("[a-b][a-b0-9-]{0,5}", id()),
        ) {
            let of = |(name, owner): &(String, String)| host(name, &person(owner), "example.com");
            prop_assert!(is_domain(&of(&one)), "{}", of(&one));
            prop_assert_eq!(of(&one) == of(&other), one == other);
        }

        #[test]
        fn names_of_projects_are_labels(id in "[a-z][a-z0-9]{9}") {
            let id = ProjectId(id);
            for name in [project(&id), api(&id), data(&id)] {
                prop_assert!(is_label(&name));
            }
        }
    }
}
