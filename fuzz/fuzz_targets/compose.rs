//! Any text as a compose file: resolved and translated, or refused, never a panic. No file is opened.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;

use gaggle::compose::translate::{Options, translate};
use gaggle::compose::{Access, Bound, Input, Reading, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folder = PathBuf::from("/nonexistent");
    let reading = Reading {
        files: vec![Input::Text { name: "compose.yaml".into(), text: text.to_owned() }],
        folder: folder.clone(),
        name: Some("fuzz".into()),
        profiles: Vec::new(),
        env_files: Some(Vec::new()),
        environment: BTreeMap::new(),
        access: Access::Nothing,
    };
    if let Ok(project) = read(reading) {
        let bound = Bound::of(&project, Access::Nothing, &folder);
        translate(&project.tree, &bound, &Options::default());
    }
});
