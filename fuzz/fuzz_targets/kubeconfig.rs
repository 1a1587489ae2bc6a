//! Any bytes as a kubeconfig: read or refused, never a panic, and no long run of the input in what is said of it.
#![no_main]

use gaggle::clusters::kubeconfig::{Read, read};
use libfuzzer_sys::fuzz_target;

/// As long as a secret is, longer than a name that is repeated would be without a break.
const RUN: usize = 40;

fuzz_target!(|bytes: &[u8]| {
    let names = match read(bytes, None, true) {
        Ok(Read::Several(names)) => names,
        Ok(Read::One { credentials, .. }) => {
            let kept = credentials.seal_text();
            assert!(gaggle::clusters::Credentials::from_sealed(&kept).is_ok());
            return;
        }
        Err(refused) => {
            let told = refused.to_string();
            let runs = told.split(|c: char| !c.is_ascii_alphanumeric());
            assert!(runs.clone().all(|run| run.len() < RUN), "{told}");
            return;
        }
    };
    for name in names.iter().take(4) {
        let _ = read(bytes, Some(name), false);
    }
});
