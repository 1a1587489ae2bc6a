//! Credentials as they are kept and shown.

use super::*;
use crate::clusters::fixtures::*;
use crate::clusters::kubeconfig::{Read, read};
use crate::clusters::token::tests::jwt;

fn of(text: &str) -> Credentials {
    match read(text, None, false) {
        Ok(Read::One { credentials, .. }) => *credentials,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_they_are_known_by() {
    let pair = of(&kubeconfig_with(CLIENT, CLIENT_KEY));
    // As openssl tells it.
    let wanted = "SHA256:60:8F:B7:D6:93:90:EE:51:5E:AC:8A:6E:9A:DD:C6:38:11:2E:7D:DA:54:D5:C1:3B:33:D5:D4:75:E9:43:CA:65";
    assert_eq!(pair.fingerprint().as_deref(), Some(wanted));
    assert_eq!(pair.expires(), "2124-01-01T00:00:00Z".parse().ok());
    assert_eq!(of(&kubeconfig()).expires(), None);
    let token = jwt(r#"{"exp":4000000000}"#);
    let both = kubeconfig_with(CLIENT, CLIENT_KEY).replace("    client-key", &format!("    token: {token}\n    client-key"));
    let both = of(&both);
    assert_eq!((both.kind(), both.expires()), ("certificate", Timestamp::from_second(4_000_000_000).ok()));
}

#[test]
fn they_come_back_from_the_store_and_show_nothing() {
    for text in [kubeconfig(), kubeconfig_with(CLIENT, CLIENT_KEY)] {
        let before = of(&text);
        let sealed = before.seal_text();
        let after = Credentials::from_sealed(&sealed).unwrap();
        assert_eq!(sealed.expose_secret(), after.seal_text().expose_secret());
        assert_eq!((before.fingerprint(), before.server(), before.kind()), (after.fingerprint(), after.server(), after.kind()));
        let shown = format!("{after:?} {sealed:?} {:?}", read(&text, None, false));
        assert!(!secrets().iter().any(|secret| tells(&shown, secret)), "{shown}");
    }
    for broken in ["", "{", r#"{"url":1}"#, r#"{"token":"fake-token-0123456789abcdef"}"#] {
        let error = Credentials::from_sealed(&broken.into()).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("fake-token"), "{told}");
    }
}

#[test]
fn moments_of_certificates() {
    for (pem, wanted) in [(CLIENT, "2124-01-01T00:00:00Z"), (EXPIRED, "2021-01-01T00:00:00Z")] {
        let chain = certificate::identity(pem).unwrap();
        assert_eq!(certificate::expires(&chain[0]), wanted.parse().ok());
        // Cut anywhere, it is no certificate, and nothing panics.
        for end in 0..chain[0].len() {
            certificate::expires(&chain[0][..end]);
        }
    }
}
