//! What the macros refuse, and what they must not.
//!
//! One mistake a file in `ui/<rule>/`, with the compiler's answer beside it; `ui/pass/` compiles. `TRYBUILD=overwrite` writes the
//! answers anew, for the pinned compiler.

#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_mistake_is_underlined_and_answered() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    for rule in rules() {
        cases.compile_fail(format!("tests/ui/{rule}/*.rs"));
    }
}

#[test]
fn the_list_of_rules_names_every_folder() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let listed: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(rule, _)| rule.to_owned()))
        .collect();
    assert_eq!(listed, rules(), "tests/ui/README.md against the folders");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui")
}

/// The folders of cases that must not compile.
fn rules() -> BTreeSet<String> {
    let folders = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let names = folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name != "pass").collect()
}
