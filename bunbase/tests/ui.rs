//! What the macros refuse, and what they must not.
//!
//! One mistake a file in `ui/<rule>/`, with the compiler's answer beside it; `ui/pass/` compiles. `TRYBUILD=overwrite` writes the
//! answers anew, for the pinned compiler. On another one the answers would differ in words that are not ours: there the test says so
//! and compares nothing, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.

#![expect(clippy::unwrap_used, reason = "a test has no better answer to an error")]

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// The compiler whose answers are kept. `.github/workflows/ci.yml` installs it.
const PINNED: &str = "1.95.0";

#[test]
fn every_mistake_is_underlined_and_answered() {
    let compiler = compiler();
    if compiler != PINNED {
        let required = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").is_ok_and(|required| required == "1");
        assert!(
            !required,
            "the answers are those of rustc {PINNED}, and this is {compiler}: run with RUSTUP_TOOLCHAIN={PINNED}"
        );
        // Not by a macro, whose output a test that passes keeps to itself.
        writeln!(
            std::io::stderr(),
            "SKIPPED: the compiler's answers are those of rustc {PINNED}, and this is {compiler}"
        )
        .unwrap();
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    for rule in rules() {
        cases.compile_fail(format!("tests/ui/{rule}/*.rs"));
    }
}

#[test]
fn the_workflow_installs_the_compiler_whose_answers_are_kept() {
    let workflow = fs::read_to_string(root().join("../../../.github/workflows/ci.yml")).unwrap();
    let installed: Vec<_> =
        workflow.lines().filter_map(|line| line.split("rustup toolchain install ").nth(1)).collect();
    assert!(
        !installed.is_empty() && installed.iter().all(|line| line.starts_with(&format!("{PINNED} "))),
        "{installed:?}"
    );
    assert!(workflow.contains(&format!("RUSTUP_TOOLCHAIN: \"{PINNED}\"")), "{workflow}");
    assert!(
        PINNED.starts_with(env!("CARGO_PKG_RUST_VERSION")),
        "the oldest compiler that is supported is the one that is tested"
    );
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

/// Returns the version of the compiler that trybuild runs.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    String::from_utf8(version).unwrap().split_whitespace().nth(1).unwrap_or_default().to_owned()
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
