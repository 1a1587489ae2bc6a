//! Several people: whose projects they see, what they may do with them, how the names of others are told apart.

use crate::support::tester::Tester;

#[tokio::test]
async fn sharing_with_roles() {
    let t = Tester::start().await;
    let (ann, bob) = (t.user("ann").in_conversation("anns"), t.user("bob").in_conversation("bobs"));
    ann.say("/whoami").await.ok();
    ann.say("/project create demo").await.ok();
    ann.say("/ask demo say 2 words").await.ok();
    bob.say("/project show demo").await.refused();
    bob.say("/project list").await.ok();
    ann.say("/project share demo @bob --role viewer").await.ok();
    bob.say("/project list").await.ok();
    bob.say("/project show demo").await.ok();
    bob.say("/session list demo").await.ok();
    bob.say("/session show s1").await.ok();
    bob.say("/project logs demo").await.ok();
    bob.say("/project status demo").await.ok();
    for command in [
        "/ask demo hello",
        "/project activate demo",
        "/project deactivate demo",
        "/project restart demo",
        "/project delete demo",
        "/project rename demo mine",
        "/project update demo --mode auto",
        "/project exec demo -- ls",
        "/project share demo @eve",
        "/project unshare demo @ann",
        "/project secret set demo KEY",
        "/project secret list demo",
        "/project secret unset demo KEY",
        "/session stop s1",
        "/session retry s1",
        "/session rename mine s1",
        "/session delete s1",
    ] {
        bob.say(command).await.refused().has("yours is viewer");
    }
    // Somebody who may only look cannot write into the thread either.
    t.user("bob").in_conversation("anns").say("hello").await.refused();
    ann.say("/project share demo @bob").await.ok();
    bob.say("/ask demo say 3 words").await.ok();
    bob.say("/project delete demo").await.refused();
    bob.say("/session delete s1 --yes").await.refused();
    bob.say("/session delete s2 --yes").await.ok();
    ann.say("/project show demo").await.ok();
    ann.say("/project unshare demo @bob").await.ok();
    ann.say("/project unshare demo @bob").await.refused();
    ann.say("/project share demo @ann").await.refused();
    bob.say("/project show demo").await.refused();
    bob.say("hello").await.refused();
    t.snapshot("sharing");
    t.done().await;
}

/// A channel's own project: its members use it there without having a share in it, and nowhere else.
#[tokio::test]
async fn a_project_for_a_channel() {
    let t = Tester::start().await;
    let (ann, bob) = (t.user("ann").in_conversation("team"), t.user("bob").in_conversation("team"));
    let elsewhere = t.user("bob").in_conversation("bobs");
    ann.say("/project create demo").await.ok();
    bob.say("/ask demo hello").await.refused();
    bob.say("/project use demo").await.refused();
    bob.say("/project unuse").await.refused().has("no project of its own");
    ann.say("/project use demo").await.ok();
    bob.say("/ask demo say 2 words").await.ok().ended_as("done");
    bob.say("/project show demo").await.ok();
    bob.say("/project delete demo").await.refused().has("yours is member");
    bob.say("/project unuse").await.refused().has("Only the owner");
    elsewhere.say("/project show demo").await.refused();
    elsewhere.say("/ask demo hello").await.refused();
    elsewhere.say("/session show s1").await.refused();
    ann.say("/project unuse").await.ok();
    bob.say("/ask demo hello").await.refused();
    // It is the channel's only as long as it is there.
    ann.say("/project use demo").await.ok();
    ann.say("/project delete demo --yes").await.ok();
    bob.say("/project show demo").await.refused();
    bob.say("/project unuse").await.ok().has("deleted project");
    t.snapshot("a_project_for_a_channel");
    t.done().await;
}

/// To run commands takes a right of its own, besides a role on the project.
#[tokio::test]
async fn who_may_run_commands() {
    let t = Tester::with(&[], &[("GAGGLE_ACCESS__EXECUTORS", "console:bob")]).await;
    let (ann, bob) = (t.user("ann"), t.user("bob"));
    ann.say("/project create demo").await.ok();
    ann.say("/project exec demo -- ls").await.refused().has("adding `console:ann` to `executors` under `[access]`");
    bob.say("/project exec ann/demo -- ls").await.refused().has("no project");
    ann.say("/project share demo @bob --role viewer").await.ok();
    bob.say("/project exec demo -- ls").await.refused().has("takes the role member");
    ann.say("/project share demo @bob").await.ok();
    // With both, it is for the runtime to say that it has no such thing.
    bob.say("/project exec demo -- ls").await.refused().has("use the `kubernetes` runtime");
    t.say("/project exec ann/demo -- sh -c 'echo $API_KEY'").await.refused().has("use the `kubernetes` runtime");
    let audit = t.say("/audit").await.ok().data("audit");
    let what: Vec<_> =
        audit.as_array().unwrap().iter().map(|e| (e["what"].as_str().unwrap(), e["outcome"].as_str().unwrap())).collect();
    assert!(what.contains(&("/project exec ann/demo -- sh -c 'echo $API_KEY'", "allowed")), "{what:?}");
    assert!(what.iter().any(|(what, outcome)| *what == "/project exec demo -- ls" && outcome.contains("executors")), "{what:?}");
    t.snapshot("executors");
    t.done().await;
}

#[tokio::test]
async fn names_of_several_owners() {
    let t = Tester::start().await;
    let (ann, bob) = (t.user("ann"), t.user("bob"));
    ann.say("/project create demo").await.ok();
    bob.say("/project create demo").await.ok();
    bob.say("/project show demo").await.ok().has("console:bob");
    ann.say("/project share demo @bob").await.ok();
    bob.say("/project show demo").await.refused().has("`ann/demo` or `bob/demo`");
    bob.say("/project show ann/demo").await.ok().has("console:ann");
    bob.say("/project show @bob/demo").await.ok().has("console:bob");
    bob.say("/project list").await.ok();
    ann.say("/project show bob/demo").await.refused();
    // An admin sees everything, but is asked which one.
    t.say("/project list").await.ok();
    t.say("/project list --all").await.ok();
    t.say("/project show demo").await.refused();
    t.say("/project show bob/demo").await.ok();
    ann.say("/project list --all").await.refused();
    ann.say("/audit").await.refused();
    t.snapshot("names_of_several_owners");
    t.done().await;
}

/// What there is and is not theirs is refused in the same words as what there is not.
#[tokio::test]
async fn nobody_learns_of_what_is_not_theirs() {
    let t = Tester::start().await;
    let (ann, eve) = (t.user("ann").in_conversation("anns"), t.user("eve").in_conversation("eves"));
    ann.say("/project create secretplan").await.ok();
    let asked = ann.begin("/ask secretplan use the tool").await;
    assert_eq!((asked.approval().await.as_str(), asked.turn().await.as_str()), ("a1", "t1"));
    for (theirs, nobodys) in [
        ("/project show secretplan", "/project show nosuchplan"),
        ("/project show ann/secretplan", "/project show ann/nosuchplan"),
        ("/project activate secretplan", "/project activate nosuchplan"),
        ("/project delete secretplan --yes", "/project delete nosuchplan --yes"),
        ("/project rename secretplan x", "/project rename nosuchplan x"),
        ("/project logs secretplan", "/project logs nosuchplan"),
        ("/project status secretplan", "/project status nosuchplan"),
        ("/project exec secretplan -- ls", "/project exec nosuchplan -- ls"),
        ("/project secret set secretplan KEY", "/project secret set nosuchplan KEY"),
        ("/ask secretplan hello", "/ask nosuchplan hello"),
        ("/session list secretplan", "/session list nosuchplan"),
        ("/session show s1", "/session show s9"),
        ("/session stop s1", "/session stop s9"),
        ("/session retry s1", "/session retry s9"),
        ("/session export s1", "/session export s9"),
        ("/session delete s1 --yes", "/session delete s9 --yes"),
        ("/session rename mine s1", "/session rename mine s9"),
        ("/approve a1", "/approve a9"),
        ("/approve a1 --always", "/approve a9 --always"),
        ("/deny a1", "/deny a9"),
    ] {
        let one = eve.say(theirs).await.refused();
        let other = eve.say(nobodys).await.refused();
        let plain = |text: &str| text.replace("nosuchplan", "secretplan").replace("s9", "s1").replace("a9", "a1");
        assert_eq!(plain(one.text()), plain(other.text()));
    }
    // A near miss is no hint either.
    eve.say("/project show secretpla").await.refused().has_not("secretplan");
    eve.say("/approval list").await.ok().has("No approval is open");
    eve.say("/project list").await.ok().has_not("secretplan");
    ann.say("/approve a1").await.ok();
    asked.end().await.ok();
    // In their thread, too.
    let eve = t.user("eve").in_conversation("anns");
    eve.say("/thread").await.ok().has_not("secretplan");
    eve.say("/thread 1").await.refused();
    eve.say("/session show").await.refused().has_not("secretplan");
    eve.say("/session stop").await.refused();
    eve.say("hello").await.refused();
    t.done().await;
}

/// A name can be taken again after its owner gave it away, and `share` names people as the surface does.
#[tokio::test]
async fn owners_by_grant() {
    let t = Tester::start().await;
    let (ann, bob) = (t.user("ann"), t.user("bob"));
    ann.say("/project create demo").await.ok();
    ann.say("/project share demo bob --role owner").await.ok();
    bob.say("/project share demo console:cyd --role viewer").await.ok();
    t.user("cyd").say("/project show demo").await.ok();
    bob.say("/project rename demo theirs").await.ok();
    ann.say("/project show theirs").await.ok();
    bob.say("/project delete theirs --yes").await.ok();
    ann.say("/project list").await.ok();
    t.snapshot("owners_by_grant");
    t.done().await;
}

/// A code that is made by one and typed by the other makes them one person, who owns what both owned.
#[tokio::test]
async fn two_identities_become_one_person() {
    let t = Tester::start().await;
    let (ann, phone, eve) = (t.user("ann").in_conversation("anns"), t.user("phone").in_conversation("phones"), t.user("eve"));
    let code = |said: &str| said.split("/link ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    ann.say("/project create shop").await.ok();
    phone.say("/project create notes").await.ok();
    phone.say("/ask notes say 2 words").await.ok();
    ann.say("/unlink").await.refused().has("linked to no other identity");
    let first = code(ann.say("/link").await.ok().text());
    ann.say(&format!("/link {first}")).await.refused().has("your own code");
    eve.say("/link AAAA-AAAA").await.refused().has("not known");
    // Nothing happens before it is said what it means.
    let asked = phone.begin(&format!("/link {first}")).await;
    phone.cancel(&asked.form().await).await.end().await.ok();
    assert!(!asked.end().await.ok);
    phone.say("/project show shop").await.refused();
    let asked = phone.begin(&format!("/link {}", first.to_lowercase())).await;
    phone.fill(&asked.form().await, serde_json::json!({})).await.end().await.ok();
    asked.end().await.ok().has("one person now");
    eve.say(&format!("/link {first}")).await.refused().has("not known");
    phone.say("/project show shop").await.ok();
    ann.say("/project show notes").await.ok();
    ann.say("/session show s1").await.ok();
    ann.say("/whoami").await.ok().has("`console:ann` and `console:phone`").has("You own 2 projects");
    assert_eq!(phone.say("/whoami").await.ok().data("person"), "console:ann");
    // A name that both have is told before anything is changed.
    eve.say("/project create shop").await.ok();
    let second = code(eve.say("/link").await.ok().text());
    let asked = phone.begin(&format!("/link {second}")).await;
    phone.fill(&asked.form().await, serde_json::json!({})).await.end().await;
    asked.end().await.refused().has("Both of you have a project `shop`");
    phone.say("/whoami").await.ok().has("You own 2 projects");
    ann.say("/unlink").await.refused().has("/unlink console:phone");
    phone.say("/unlink").await.ok().has("All projects stay");
    phone.say("/project list").await.ok().has("no projects");
    // A code is nobody's to read later.
    let log = t.operator().say("/audit --tail 100").await.ok().text().to_owned();
    assert!(log.contains("/link") && !log.contains(&first) && !log.contains(&second), "{log}");
    t.done().await;
}
