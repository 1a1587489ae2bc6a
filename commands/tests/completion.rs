//! What Tab and autocomplete offer.

use gaggle_commands::{Candidates, candidates_for, complete};

fn offered(line: &str) -> String {
    let completion = complete(line);
    let candidates = match completion.candidates {
        Candidates::Words(words) => {
            assert!(words.iter().all(|(_, about)| !about.is_empty()), "{line}");
            words.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    };
    format!("{}: {candidates}", completion.start)
}

#[test]
fn by_place() {
    for (line, expected) in [
        (
            "/",
            "1: project ask session secret cluster infra service approve deny approval thread whoami link unlink status audit help",
        ),
        ("/pro", "1: project"),
        ("  /PRO", "3: project"),
        ("/gaggle pro", "8: project"),
        ("/gaggle /pro", "9: project"),
        (
            "/project ",
            "9: create list show status rename update share unshare activate deactivate restart delete logs exec use unuse secret",
        ),
        ("/project de", "9: deactivate delete"),
        ("/project secret ", "16: set list unset"),
        ("/project nope x", "14: Nothing"),
        ("/project create ", "16: Nothing"),
        ("/project create demo --", "21: --repo --cpu --memory --env --image --disk --port --expose --cluster"),
        ("/project create demo —c", "21: --cpu --cluster"),
        ("/project create demo --cpu 1 --env A=b --", "39: --repo --memory --env --image --disk --port --expose --cluster"),
        ("/project create demo --cpu ", "27: Nothing"),
        ("/project update demo --expose ", "30: cluster node-port load-balancer ingress"),
        ("/project show ", "14: Projects"),
        ("/project show de", "14: Projects"),
        ("/project delete ", "16: Projects"),
        ("/project delete demo ", "21: --keep-files --yes"),
        ("/project delete demo --keep-data ", "33: --yes"),
        ("/project logs demo --", "19: --tail --since --previous --follow"),
        ("/project exec ", "14: Projects"),
        ("/project exec demo --", "19: --timeout"),
        ("/project exec demo ", "19: --timeout"),
        ("/project exec demo -- --", "22: Nothing"),
        ("/project exec demo -- ls ", "25: Nothing"),
        ("/project rename demo ", "21: Nothing"),
        ("/project share demo ", "20: People"),
        ("/project share demo @a", "20: People"),
        ("/project share demo @a --role ", "30: viewer member owner"),
        ("/project share demo @a --role=m", "30: member"),
        ("/project share --role member ", "29: Projects"),
        ("/project update demo --mode smart", "28: smart_approve"),
        ("/project secret set demo ", "25: Nothing"),
        ("/ask ", "5: Projects"),
        ("/ask demo pro", "10: Nothing"),
        ("/ask demo --", "10: Nothing"),
        ("/session show ", "14: Sessions"),
        ("/session rename My title s", "25: Sessions"),
        ("/session rename My ti", "19: Nothing"),
        ("/cluster show ", "14: Clusters"),
        ("/cluster add ", "13: Nothing"),
        ("/infra scan --cluster ", "22: Clusters"),
        ("/service deploy ", "16: Services"),
        ("/service deploy shop:web --cluster=", "35: Clusters"),
        ("/service logs ", "14: Releases"),
        ("/service deploy shop --expose no", "30: node-port"),
        ("/approve ", "9: Approvals"),
        ("/approve a7 -", "12: --always"),
        ("/deny a7 --reason no", "18: Nothing"),
        ("/audit --user ", "14: People"),
        (
            "/help ",
            "6: project ask session secret cluster infra service approve deny approval thread whoami link unlink status audit help",
        ),
        ("/help project cr", "14: create"),
        ("/whoami ", "8: Nothing"),
        ("hello", "0: Nothing"),
        ("hello /pro", "6: Nothing"),
        ("", "0: Nothing"),
    ] {
        assert_eq!(offered(line), expected, "{line:?}");
    }
}

#[test]
fn by_option() {
    assert_eq!(candidates_for("project show", "name"), Candidates::Projects);
    assert_eq!(candidates_for("project create", "name"), Candidates::Nothing);
    assert_eq!(candidates_for("session stop", "session"), Candidates::Sessions);
    assert_eq!(candidates_for("audit", "user"), Candidates::People);
    assert_eq!(candidates_for("nothing", "name"), Candidates::Nothing);
}

proptest::proptest! {
    #[test]
    fn any_line(line in "(/(project|session|help|deny|ask) )?.{0,40}") {
        let completion = complete(&line);
        proptest::prop_assert!(line.is_char_boundary(completion.start));
    }
}
