//! The program that a newcomer reads first is one program, wherever it stands.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there")
}

/// Returns the first block of a language.
fn block(text: &str, language: &str) -> String {
    let lines = text.lines().skip_while(|line| *line != format!("```{language}")).skip(1);
    lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_hello_is_the_program_of_the_readme() {
    let example = read("hello/main.rs");
    let program: String =
        example.lines().skip_while(|line| line.starts_with("//!")).map(|line| format!("{line}\n")).collect();
    assert_eq!(block(&read("../README.md"), "rust"), program);
    assert!(program.lines().count() <= 15, "fifteen lines");
}

#[test]
fn the_documentation_of_the_crate_begins_with_the_same_program() {
    let text = read("../bunbase/src/lib.rs");
    let words: String = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect();
    assert_eq!(block(&words, "no_run"), block(&read("../README.md"), "rust"));
}
