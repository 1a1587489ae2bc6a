//! Fields of a form: taken, or refused with the field.

use super::*;
use crate::clusters::fixtures::*;
use crate::clusters::token::tests::jwt;

fn with_token() -> Fields {
    Fields { server: "cluster.test:6443".into(), token: Some(TOKEN.into()), ca: Some(CA.into()), ..Fields::default() }
}

fn with_pair(cert: &str, key: &str) -> Fields {
    Fields { token: None, cert: Some(cert.into()), key: Some(key.into()), ..with_token() }
}

#[test]
fn what_is_good_is_taken() {
    for fields in [
        with_token(),
        Fields { ca: None, ..with_token() },
        Fields { ca: Some(packed(CA)), ..with_token() },
        Fields { ca: Some(format!("{CA}\n{OTHER_CA}")), ..with_token() },
        Fields { token: Some(format!(" {TOKEN}\n").into()), cert: Some(String::new()), key: Some(" ".into()), ..with_token() },
        Fields { tls_server_name: Some("kubernetes.default".into()), namespace: Some("shop".into()), ..with_token() },
        with_pair(CLIENT, CLIENT_KEY),
        with_pair(&packed(CLIENT), &packed(CLIENT_KEY)),
        with_pair(&format!("{CLIENT}{CA}"), CLIENT_KEY),
        with_pair(RSA, RSA_KEY),
    ] {
        let credentials = from_fields(fields, false).unwrap();
        assert_eq!(credentials.server(), "https://cluster.test:6443");
        assert!(!credentials.insecure());
    }
    let insecure = Fields { ca: None, insecure: true, ..with_token() };
    assert!(from_fields(insecure.clone(), true).unwrap().insecure());
    assert!(from_fields(insecure, false).unwrap_err().what.contains("--insecure-skip-tls-verify"));
}

#[test]
fn what_is_not_is_refused_with_its_field() {
    let server = |text: &str| Fields { server: text.into(), ..with_token() };
    let token = |text: &str| Fields { token: Some(text.into()), ..with_token() };
    let ca = |text: &str| Fields { ca: Some(text.into()), ..with_token() };
    let cases: Vec<(Fields, &str, &str)> = vec![
        (server(""), "server", "missing"),
        (server("http://cluster.test"), "server", "plain http"),
        (server("HtTp://cluster.test"), "server", "plain http"),
        (server("wss://cluster.test"), "server", "no https"),
        (server(&format!("https://x:{TOKEN}@cluster.test")), "server", "a user or a password"),
        (server(&format!("admin:{TOKEN}@cluster.test")), "server", "a user or a password"),
        (server(&format!("cluster.test?x={TOKEN}")), "server", "a query"),
        (server("cluster.test#x"), "server", "a fragment"),
        (server("cluster test"), "server", "a space"),
        (server("//cluster.test"), "server", "no host"),
        (server("/path"), "server", "no host"),
        (server(":6443"), "server", "cannot be read"),
        (server("cluster.test:99999"), "server", "cannot be read"),
        (server("a\\b"), "server", "backslash"),
        (server("https://https://a"), "server", "cannot be read"),
        (token("   "), "token", "there are no credentials"),
        (token("a b"), "token", "a space"),
        (token(&format!("Bearer {TOKEN}")), "token", "without `Bearer`"),
        (token(&format!("{TOKEN}\u{0}x")), "token", "a control character"),
        (token(&format!("{TOKEN}\r\n{TOKEN}")), "token", "a line break"),
        (token(CA), "token", "PEM, not a token"),
        (token("t\u{f6}ken"), "token", "no token has"),
        (token(&jwt(r#"{"exp":1}"#)), "token", "expired on 1970-01-01"),
        (token(&"x".repeat(70_000)), "token", "longer"),
        (ca("x"), "ca", "neither PEM"),
        (ca(&packed("x")), "ca", "not of PEM"),
        (ca(&CA[..200]), "ca", "cut off"),
        (ca(CLIENT_KEY), "ca", "a private key stands"),
        (ca(&packed(CLIENT_KEY)), "ca", "a private key stands"),
        (ca(&"A".repeat(300_000)), "ca", "too long"),
        (with_pair(CLIENT, STRAY_KEY), "key", "does not belong"),
        (with_pair(EXPIRED, EXPIRED_KEY), "cert", "expired on 2021-01-01"),
        (with_pair(CLIENT, LOCKED_KEY), "key", "passphrase"),
        (with_pair(CLIENT_KEY, CLIENT_KEY), "cert", "a private key stands"),
        (with_pair(CLIENT, CLIENT), "key", "without a private key"),
        (with_pair("x", CLIENT_KEY), "cert", "neither PEM"),
        (with_pair(CLIENT, "x"), "key", "neither PEM"),
        (Fields { key: None, ..with_pair(CLIENT, CLIENT_KEY) }, "cert", "without its key"),
        (Fields { cert: None, ..with_pair(CLIENT, CLIENT_KEY) }, "key", "without its certificate"),
        (Fields { token: Some(TOKEN.into()), ..with_pair(CLIENT, CLIENT_KEY) }, "cert", "not both"),
        (Fields { token: None, ..with_token() }, "token", "there are no credentials"),
        (Fields { namespace: Some("No_Name".into()), ..with_token() }, "namespace", "small letters"),
        (Fields { namespace: Some("a".repeat(64)), ..with_token() }, "namespace", "at most 63"),
        (Fields { tls_server_name: Some("a b".into()), ..with_token() }, "tls_server_name", "not the name of a server"),
        (Fields { insecure: true, ca: None, ..with_token() }, "insecure", "administrator"),
    ];
    let secrets = secrets();
    for (fields, field, part) in cases {
        assert!(!secrets.iter().any(|secret| tells(&format!("{fields:?}"), secret)));
        let refused = from_fields(fields, false).unwrap_err();
        let told = format!("{refused} {refused:?}");
        assert!(refused.what.contains(part), "{part}: {refused}");
        assert_eq!(refused.to_string(), format!("`{field}`: {}", refused.what));
        assert!(!secrets.iter().any(|secret| tells(&told, secret)), "{told}");
    }
}
