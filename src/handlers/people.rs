//! Whom somebody means by a name. Says nothing of what they may do.

use super::Context;
use crate::access::{Authorized, Owners};
use crate::error::{Result, refused};
use crate::model::{Actor, PersonId, Project};

/// As somebody on the same surface would write an id.
fn of_id(call: &Authorized, name: &str) -> PersonId {
    match name.contains(':') {
        true => PersonId(name.to_owned()),
        false => PersonId(format!("{}:{name}", call.caller.origin.actor.surface)),
    }
}

/// Somebody that there is: by id, else by the name under which one person is known here.
pub async fn find(context: &Context, call: &Authorized, name: &str) -> Result<PersonId> {
    let (store, origin) = (context.work.store(), &call.caller.origin);
    let id = of_id(call, name);
    let owners = Owners::load(store).await?;
    let on_surface = id.0.strip_prefix(&format!("{}:", origin.actor.surface));
    let exists = match (context.work.chat(origin), on_surface) {
        (Some(chat), Some(on_surface)) => owners.knows(&id) || chat.has_person(on_surface).await,
        // Of people elsewhere nobody tells.
        _ => true,
    };
    if exists {
        let Some(on_surface) = on_surface else { return Ok(id) };
        let (surface, id) = (origin.actor.surface.clone(), on_surface.to_owned());
        return store.person(&Actor { surface, name: id.clone(), id, groups: Vec::new() }).await;
    }
    match owners.called(name)[..] {
        [one] => Ok(one.clone()),
        [] => refused(format!(
            "There is nobody called `{name}` that Gaggle knows, so nothing was changed. Type `@` and pick the person from the \
             suggestions, so that it becomes a mention."
        )),
        _ => refused(format!(
            "Several people are called `{name}`, so nothing was changed. Type `@` and pick the one you mean from the suggestions, \
             so that it becomes a mention."
        )),
    }
}

/// Among those whom a project is shared with; as an id if it is none of them.
pub async fn with_whom(context: &Context, call: &Authorized, project: &Project, name: &str) -> Result<PersonId> {
    let owners = Owners::load(context.work.store()).await?;
    let id = of_id(call, name);
    let mut people = project.grants.iter().map(|(person, _)| person);
    let found = people.clone().find(|person| **person == id).or_else(|| people.find(|person| owners.is(person, name)));
    Ok(found.cloned().unwrap_or(id))
}

/// For looking back: whoever is meant may be gone.
pub async fn once(context: &Context, call: &Authorized, name: &str) -> Result<PersonId> {
    let owners = Owners::load(context.work.store()).await?;
    let id = of_id(call, name);
    Ok(match owners.called(name)[..] {
        [one] if !owners.knows(&id) => one.clone(),
        _ => id,
    })
}
