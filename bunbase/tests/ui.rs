//! What the macros say about mistakes: one mistake a file, one folder a rule, the rules in `ui/README.md`.
//!
//! After a change of wording: `TRYBUILD=overwrite cargo test -p bunbase --test ui`, and read the difference.

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_mistake_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/**/*.rs");
}

#[test]
fn the_list_of_rules_is_that_of_the_folders() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let listed: BTreeSet<String> =
        readme.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next()).map(str::to_owned).collect();
    let folders: BTreeSet<String> = fs::read_dir(&root)
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(listed, folders);
}
