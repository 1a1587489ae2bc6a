//! Variables in texts, in all their forms and nestings. No environment takes part.

use proptest::prelude::*;

use super::*;

fn with(text: &str) -> Result<String, Wrong> {
    let lookup = |name: &str| match name {
        "A" => Some("a".to_owned()),
        "EMPTY" => Some(String::new()),
        "DOLLAR" => Some("$A".to_owned()),
        _ => None,
    };
    substitute(text, &lookup, &mut Vec::new())
}

fn good(text: &str) -> String {
    with(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn all_forms() {
    let forms = [
        ("$A-${A}", "a-a"),
        ("$A.$B.", "a.."),
        ("${EMPTY:-d} ${EMPTY-d}", "d "),
        ("${B:-d} ${B-d}", "d d"),
        ("${A:+y} ${B:+y} ${EMPTY:+y} ${EMPTY+y}", "y   y"),
        ("${A:?no} ${EMPTY?no}", "a "),
        ("$$A $${A} $$$A", "$A ${A} $a"),
        ("$DOLLAR", "$A"),
        ("${B:-${C:-${A}}}", "a"),
        ("${B:-$$x}", "$x"),
        ("${B:-a-b:-c}", "a-b:-c"),
        ("${B:-{}}", "{}"),
        ("${B:-{\"k\":\"v\"}}", "{\"k\":\"v\"}"),
        ("${A}}", "a}"),
        ("100$ $ $1 $-", "100$ $ $1 $-"),
        ("${B:-}", ""),
        ("${B:-http://x:80/?q=1}", "http://x:80/?q=1"),
    ];
    for (text, wanted) in forms {
        assert_eq!(good(text), wanted, "{text}");
    }
}

#[test]
fn what_is_no_variable_is_refused() {
    for text in ["${", "${}", "${1}", "${A", "${ A}", "${A!x}", "${A:x}", "${B:-x\n}", "${B:-${}}"] {
        assert_eq!(with(text), Err(Wrong::Form), "{text}");
    }
    assert_eq!(with("${B:?say $A}"), Err(Wrong::Missing { name: "B".into(), reason: "say a".into() }));
    assert_eq!(with("${EMPTY:?}"), Err(Wrong::Missing { name: "EMPTY".into(), reason: String::new() }));
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = "${B:-".repeat(5000) + &"}".repeat(5000);
    assert_eq!(with(&deep), Err(Wrong::Deep));
    let long = |_: &str| Some("x".repeat(1 << 16));
    assert_eq!(substitute(&"$A".repeat(1 << 12), &long, &mut Vec::new()), Err(Wrong::Long));
    let many = "${B:-x} ".repeat(100_000);
    assert_eq!(good(&many).len(), 200_000);
}

#[test]
fn unset_variables_are_named() {
    let mut unset = Vec::new();
    substitute("$B ${C} ${D:-x}", &|_| None, &mut unset).unwrap();
    assert_eq!(unset, ["B", "C"]);
}

proptest! {
    #[test]
    fn nothing_panics(text in "[${}:?+\\-A-C_ \n\\PC]{0,60}") {
        let _ = with(&text);
    }

    #[test]
    fn doubled_dollars_come_back(text in "\\PC{0,60}") {
        prop_assert_eq!(good(&text.replace('$', "$$")), text);
    }
}

#[test]
fn what_a_text_mentions() {
    let found = |text: &str| -> Vec<String> {
        mentions(text)
            .into_iter()
            .map(|m| {
                let default = m.default.map(|d| format!("-{d}")).unwrap_or_default();
                let required = m.required.map(|r| format!("?{r}")).unwrap_or_default();
                format!("{}{default}{required}{}", m.name, if m.alone { "!" } else { "" })
            })
            .collect()
    };
    assert_eq!(found("no variable, $$5 and $5 and $"), [""; 0]);
    assert_eq!(found("$A"), ["A!"]);
    assert_eq!(found("a ${A}${B:-x}"), ["A", "B-x"]);
    assert_eq!(found("${A:-${B?no}}"), ["B?no", "A-${B?no}!"]);
    assert_eq!(found("${A:+yes}"), ["A-!"]);
    assert_eq!(found("${A:-{\"a\": 1}}"), ["A-{\"a\": 1}!"]);
    assert_eq!(found("${"), [""; 0]);
    assert_eq!(found("ü$$${É}$A_1ü"), ["A_1"]);
}
