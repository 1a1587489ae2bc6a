//! A tool that wants to be used: allowed, refused, for always, by others, by nobody.

use super::restart::slow;
use crate::support::tester::Tester;

#[tokio::test]
async fn allowed_and_refused() {
    let t = Tester::start().await;
    t.say("/project create demo").await.ok();
    t.say("/approval list").await.ok();
    let asked = t.begin("/ask demo use the tool").await;
    asked.state("waiting").await;
    asked.approval().await;
    t.in_conversation("elsewhere").say("/approval list").await.ok();
    t.in_conversation("elsewhere").say("/approve").await.refused();
    t.say("/approve").await.ok();
    asked.end().await.ok().has("allowed this once");
    t.say("/approve a1").await.refused();
    t.say("/deny a1").await.refused();

    let asked = t.begin("use the tool again").await;
    asked.approval().await;
    t.say("/deny --reason use the \"staging\" database").await.ok();
    asked.end().await.ok().has("not allowed");

    // From any conversation, by its name.
    let asked = t.begin("use the tool once more").await;
    let approval = asked.approval().await;
    t.in_conversation("elsewhere").say(&format!("/approve {approval}")).await.ok();
    asked.end().await.ok();

    // An open question is void once its answer is stopped.
    let asked = t.begin("use the tool and stop").await;
    asked.approval().await;
    t.say("/session stop").await.ok();
    asked.end().await.ended_as("stopped");
    t.say("/approve a4").await.refused();
    t.say("/approval list").await.ok();
    t.say("say 2 words").await.ok();
    t.say("/session show").await.ok();
    t.snapshot("approvals");
    t.done().await;
}

#[tokio::test]
async fn by_others_and_for_always() {
    let t = Tester::start().await;
    let (ann, bob, eve) = (t.user("ann"), t.user("bob"), t.user("eve").in_conversation("eves"));
    ann.say("/project create demo").await.ok();
    ann.say("/project share demo @bob").await.ok();
    ann.say("/project share demo @eve --role viewer").await.ok();
    let asked = bob.begin("/ask ann/demo use the tool").await;
    let approval = asked.approval().await;
    eve.say(&format!("/approve {approval}")).await.refused();
    eve.say(&format!("/deny {approval}")).await.refused();
    bob.say(&format!("/approve {approval} --always")).await.refused();
    ann.say(&format!("/approve {approval} --always")).await.ok();
    asked.end().await.ok().has("for always");
    bob.say("use the tool again").await.ok().has("for always");
    ann.say("/ask demo use the tool").await.ok().has("for always");
    t.snapshot("approvals_by_others");
    t.done().await;
}

#[tokio::test]
async fn two_at_once() {
    let t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let (here, there) = (t.in_conversation("here"), t.in_conversation("there"));
    let one = here.begin("/ask demo use the tool").await;
    let a = one.approval().await;
    let two = there.begin("/ask demo use the tool").await;
    let b = two.approval().await;
    let open = t.say("/approval list").await.ok().data("approvals");
    assert_eq!(open.as_array().map(Vec::len), Some(2), "{open}");
    // Without a name, each conversation means its own.
    there.say("/deny").await.ok();
    two.end().await.ok().has("not allowed");
    assert!(t.look(|s| s.said(one.at).is_none()));
    // Of two answers to one question one counts.
    let first = here.begin(&format!("/approve {a}")).await;
    let second = t.begin(&format!("/deny {a}")).await;
    let (first, second) = (first.end().await, second.end().await);
    assert!(first.ok != second.ok, "{first:?} {second:?}");
    one.end().await.ok();
    assert_ne!(a, b);
    t.done().await;
}

/// At the end of a script's input the work goes on, and what asks then is denied.
#[tokio::test]
async fn nobody_left_to_answer() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let open = t.begin("/ask demo use the tool").await;
    open.approval().await;
    let open = open.at;
    let later = t.in_conversation("later").begin("/ask demo say 1 word, then use the tool").await.at;
    assert_eq!(t.end_input().await.code(), Some(0));
    for at in [open, later] {
        let said = t.look(|s| s.said(at)).expect("an end").ok();
        let ended = said.events.iter().find(|e| e["type"] == "approval_ended").expect("an end of the approval");
        assert_eq!(ended["state"], "denied", "{ended}");
        assert_eq!(ended["reason"], "the input has ended, so nobody can answer", "{ended}");
        assert_eq!(said.turn()["state"], "done");
    }
    t.done().await;
}

#[tokio::test]
async fn nobody_answered_in_time() {
    let t = Tester::with(&[], &[("GAGGLE_LIMITS__APPROVAL_TIMEOUT", "1s")]).await;
    t.say("/project create demo").await.ok();
    t.say("/ask demo use the tool").await.ok().has("not allowed");
    t.say("/approve a1").await.refused();
    t.say("say 2 words").await.ok();
    t.snapshot("approval_expired");
    t.done().await;
}

/// An answer that stands in the input before the question comes is kept for it.
#[tokio::test]
async fn answered_before_it_asks() {
    let mut t = Tester::start().await;
    slow(&t, "demo", 1).await;
    let asked = t.line("/ask demo use the tool").await.at;
    let answer = t.line("/approve").await.at;
    assert_eq!(t.end_input().await.code(), Some(0));
    t.look(|s| s.said(answer)).expect("an end").ok();
    let said = t.look(|s| s.said(asked)).expect("an end").ok();
    assert!(said.turn()["text"].as_str().unwrap().contains("allowed this once"));
    t.done().await;
}
