//! `/link` and `/unlink`: the same person on several surfaces, proved by a code that is made on one and typed on the other.
//!
//! Invariants: a code works once and for ten minutes; whoever guesses is stopped long before they hit one; nothing is joined before
//! whoever types the code was told what it means.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaggle_commands::{Link, Unlink};
use tokio::time::Instant;

use super::Context;
use crate::access::Authorized;
use crate::error::{Error, Result, refused};
use crate::model::{Form, PersonId, Reply};

const LIFE: Duration = Duration::from_secs(10 * 60);
/// Codes that may be open at once, and those that one person may make in [`LIFE`].
const OPEN: usize = 1_000;
const MADE: usize = 5;
/// Wrong codes that one person, and all together, may type in [`LIFE`].
const WRONG: usize = 5;
const WRONG_IN_ALL: usize = 100;
/// Without letters that look like others.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 8;

#[derive(Default)]
pub struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    codes: HashMap<String, (Instant, PersonId)>,
    made: Vec<(Instant, PersonId)>,
    wrong: Vec<(Instant, PersonId)>,
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.codes.retain(|_, (born, _)| born.elapsed() < LIFE);
        state.made.retain(|(at, _)| at.elapsed() < LIFE);
        state.wrong.retain(|(at, _)| at.elapsed() < LIFE);
        state
    }

    fn make(&self, person: &PersonId) -> Result<String> {
        let mut bytes = [0u8; LENGTH];
        getrandom::fill(&mut bytes).map_err(|e| Error::Broken(anyhow::anyhow!("no random numbers: {e}")))?;
        let code: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let mut state = self.lock();
        let mine = state.made.iter().filter(|(_, who)| who == person).count();
        if mine >= MADE || state.codes.len() >= OPEN {
            return refused("Too many codes were made in the last ten minutes. Use one that you have, or wait a little.");
        }
        state.codes.retain(|_, (_, who)| who != person);
        state.codes.insert(code.clone(), (Instant::now(), person.clone()));
        state.made.push((Instant::now(), person.clone()));
        Ok(code)
    }

    /// Whose code it is. A wrong one counts.
    fn look(&self, code: &str, typed_by: &PersonId) -> Result<PersonId> {
        let mut state = self.lock();
        let mine = state.wrong.iter().filter(|(_, who)| who == typed_by).count();
        if mine >= WRONG || state.wrong.len() >= WRONG_IN_ALL {
            return refused("Too many wrong codes were typed. Wait ten minutes, then make a new one with `/link`.");
        }
        match state.codes.get(&plain(code)) {
            Some((_, person)) => Ok(person.clone()),
            None => {
                state.wrong.push((Instant::now(), typed_by.clone()));
                refused(
                    "This code is not known, was used, or is older than ten minutes. Make a new one on the other surface, by its link command.",
                )
            }
        }
    }

    fn spend(&self, code: &str) -> Option<PersonId> {
        self.lock().codes.remove(&plain(code)).map(|(_, person)| person)
    }
}

fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
}

/// What whoever types a code has to know first.
pub fn question(context: &Context, call: &Authorized, link: &Link) -> Result<Option<Form>> {
    let Some(code) = &link.code else { return Ok(None) };
    let other = context.links.look(code, &call.caller.person)?;
    if other == call.caller.person {
        return refused("This is your own code. Type it on the other surface: there it makes you the same person.");
    }
    Ok(Some(super::show::confirm(format!(
        "`{}` and `{other}` become one person: all projects and secrets of either belong to both. Go on only if `{other}` is you.",
        call.caller.origin.actor.key()
    ))))
}

pub async fn link(context: &Context, call: &Authorized, link: &Link) -> Result<Reply> {
    let caller = &call.caller;
    let Some(code) = &link.code else {
        let code = context.links.make(&caller.person)?;
        let (first, second) = code.split_at(LENGTH / 2);
        // What is typed elsewhere is called as it is there.
        return Ok(Reply::ok(format!(
            "Type `/link {first}-{second}` on the other surface within ten minutes (in Slack, `/gaggle link {first}-{second}`). It works once; \
             tell it nobody."
        ))
        .quoting());
    };
    if context.links.look(code, &caller.person)? == caller.person {
        return refused("You are the same person already.");
    }
    let Some(person) = context.links.spend(code) else {
        return refused("This code was used just now. Make a new one on the other surface, by its link command.");
    };
    context.work.store().link(&caller.origin.actor, &caller.person, &person).await?;
    let identities = context.work.store().identities_of(&person);
    Ok(Reply::ok(format!("You are one person now: {}. `/unlink` takes it back.", shown(&identities)))
        .with("person", &person)
        .with("identities", identities))
}

pub async fn unlink(context: &Context, call: &Authorized, unlink: &Unlink) -> Result<Reply> {
    let caller = &call.caller;
    let store = context.work.store();
    let mine = store.identities_of(&caller.person);
    let own = caller.origin.actor.key();
    let wanted = unlink.identity.clone().unwrap_or_else(|| own.clone());
    if mine.len() < 2 {
        return refused("You are linked to no other identity. `/link` makes a code for that.");
    }
    if !mine.contains(&wanted) {
        return refused(format!("`{wanted}` is none of yours. Yours are {}.", shown(&mine)));
    }
    if wanted == caller.person.0 {
        let others: Vec<String> = mine.iter().filter(|id| **id != wanted).cloned().collect();
        return refused(format!(
            "Your projects belong to `{wanted}`, so it is the others that can be separated from it: `/unlink {}`.",
            others.first().map_or("", String::as_str)
        ));
    }
    store.unlink(&wanted).await?;
    Ok(Reply::ok(format!(
        "`{wanted}` is a person of its own again. All projects stay with `{}`; share those that both need with `/project share`.",
        caller.person
    ))
    .with("identities", store.identities_of(&caller.person)))
}

/// `slack:U1 and discord:2`
pub fn shown(identities: &[String]) -> String {
    identities.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> PersonId {
        PersonId(format!("console:{name}"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_works_once_and_for_ten_minutes() {
        let links = Links::default();
        let code = links.make(&person("ann")).unwrap();
        let typed = format!("{}-{}", &code[..4].to_lowercase(), &code[4..]);
        assert_eq!(links.look(&typed, &person("bob")).unwrap(), person("ann"));
        assert_eq!(links.spend(&typed), Some(person("ann")));
        assert!(links.look(&typed, &person("bob")).is_err() && links.spend(&typed).is_none());
        let code = links.make(&person("ann")).unwrap();
        tokio::time::advance(LIFE + Duration::from_secs(1)).await;
        assert!(links.look(&code, &person("bob")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn guessing_ends_soon() {
        let links = Links::default();
        let code = links.make(&person("ann")).unwrap();
        for _ in 0..WRONG {
            assert!(links.look("AAAA-AAAA", &person("eve")).is_err());
        }
        assert!(links.look(&code, &person("eve")).is_err(), "not even the right one");
        assert!(links.look(&code, &person("bob")).is_ok(), "others are not held up");
        for _ in 0..MADE - 1 {
            links.make(&person("ann")).unwrap();
        }
        assert!(links.make(&person("ann")).is_err());
    }
}
