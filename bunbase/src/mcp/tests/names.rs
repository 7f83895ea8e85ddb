//! The names of tools, which the registry checks.

use super::fixture::{ENTRY, MODULE, registry};
use crate::{
    action::{ActionMeta, Trigger},
    registry::{ActionEntry, Registry},
};

/// Makes an entry, for the life of the process as all are.
fn named(name: &'static str, line: u32, triggers: &'static [Trigger]) -> &'static ActionEntry {
    Box::leak(Box::new(ActionEntry { meta: ActionMeta { name, line, triggers, ..ENTRY.meta }, ..ENTRY }))
}

fn mistakes(entries: [&'static ActionEntry; 2]) -> Vec<String> {
    Registry::of(&entries, &[&MODULE], &[]).err().map(|mistakes| mistakes.0).unwrap_or_default()
}

#[test]
fn a_tool_has_its_actions_full_name_unless_it_has_another() {
    let names: Vec<_> = registry().actions().iter().flat_map(|action| action.tools().collect::<Vec<_>>()).collect();
    assert_eq!(names, ["books_add", "find", "books_update", "books_remove", "books_print", "newest"]);
}

#[test]
fn two_tools_of_one_name_are_told_with_their_places() {
    let own = named("lend", 7, &[Trigger::Tool { name: None }]);
    let other = named("other", 9, &[Trigger::Tool { name: Some("books_lend") }]);
    let told = mistakes([own, other]);
    assert_eq!(told.len(), 1, "{told:?}");
    for part in ["`books_lend`", "`books.lend` (src/books.rs:7)", "`books.other` (src/books.rs:9)"] {
        assert!(told[0].contains(part), "{part} is not in: {}", told[0]);
    }
}

#[test]
fn a_name_that_clients_cannot_take_is_told() {
    let long: &'static str = Box::leak("a".repeat(65).into_boxed_str());
    for name in ["", "lend.a.book", "prêter", long] {
        let wrong = named("lend", 7, Box::leak(Box::new([Trigger::Tool { name: Some(name) }])));
        let told = mistakes([wrong, named("other", 9, &[])]);
        assert!(told.len() == 1 && told[0].contains("src/books.rs:7"), "{name}: {told:?}");
    }
}
