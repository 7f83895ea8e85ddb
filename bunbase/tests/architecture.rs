//! Who may name whom: the rooms of `src` in their order, held against every `crate::` path in them.
//!
//! `ARCHITECTURE.md` says what each room is for. `lib.rs` (re-exports) and `glue.rs` (what generated code calls) name
//! everything, and tests name what they need.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rooms, lowest first. A room names those of the lines above its own, and itself.
///
/// `context`, `guard` and `action` are one line because they are one knot: a context hands out what a guard provides, a guard
/// refuses with an action's kind of error and sees the context, and an action is run with its guards and its context.
const LAYERS: [&[&str]; 14] = [
    &["error", "asset", "clock", "service"],
    &["config", "schema", "observe"],
    &["db", "redis", "password"],
    &["kv", "lock", "limit", "tenant"],
    &["cache"],
    &["queue", "schedule", "events", "idempotency", "webhook", "runs", "seal", "session"],
    &["context", "guard", "action"],
    &["registry"],
    &["invoke"],
    &["http"],
    &["openapi"],
    &["mcp"],
    &["app"],
    &["testing"],
];

/// Rooms of different lines that do not name each other all the same: the edges.
const STRANGERS: [(&str, &str); 3] = [("openapi", "http"), ("mcp", "http"), ("mcp", "openapi")];

/// Rooms of one line that name each other.
const KNOT: [&str; 3] = ["context", "guard", "action"];

/// The rooms that know actix.
const ACTIX: [&str; 3] = ["http", "app", "testing"];

/// The files that know `inventory`.
const INVENTORY: [&str; 3] = ["registry/collect.rs", "invoke/call.rs", "http/endpoint.rs"];

/// A file of a room, without comments and tests.
struct Source {
    room: String,
    name: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let sources = files.iter().filter_map(|file| {
        let path = file.strip_prefix(&root).expect("it is below `src`");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let is_test = parts.iter().any(|part| part == "tests" || part == "tests.rs");
        if parts.len() < 2 || is_test {
            return None;
        }
        let code = code(&fs::read_to_string(file).expect("it is readable"));
        Some(Source { room: parts[0].to_string(), name: parts.join("/"), code })
    });
    sources.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns a file's text up to its tests, without lines that are comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the rooms that a file names by `crate::room` or `crate::{room, …}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        // `$crate` in a macro, or the end of another name.
        if before.is_some_and(|c| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(heads(group).into_iter().map(room_of)),
            None => rooms.extend(word(rest).map(room_of)),
        }
    }
    rooms
}

/// Returns the first word of each path in a group, whose opening brace is behind.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut starts) = (0_usize, vec![0]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().filter_map(|start| word(group[start..].trim_start())).collect()
}

fn word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    Some(&text[..end]).filter(|word| !word.is_empty())
}

/// Names that the root exports stand for their rooms.
fn room_of(name: &str) -> String {
    match name {
        "Error" | "Result" => "error",
        "App" => "app",
        "Ctx" => "context",
        "assert_enqueued" => "testing",
        other => other,
    }
    .to_owned()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn every_room_has_its_place_in_the_order() {
    let placed: BTreeSet<_> = LAYERS.concat().into_iter().map(str::to_owned).collect();
    let rooms: BTreeSet<_> = sources().into_iter().map(|source| source.room).collect();
    assert_eq!(rooms, placed);
}

#[test]
fn a_room_names_only_rooms_below_it() {
    let mut wrong = Vec::new();
    for Source { room, name, code } in sources() {
        for other in named(&code) {
            let (Some(own), Some(its)) = (layer(&room), layer(&other)) else {
                wrong.push(format!("{name} names `crate::{other}`, which is no room"));
                continue;
            };
            let is_knot = KNOT.contains(&room.as_str()) && KNOT.contains(&other.as_str());
            let is_strange = STRANGERS.iter().any(|(a, b)| (room == *a && other == *b) || (room == *b && other == *a));
            if room != other && !is_knot && (its >= own || is_strange) {
                wrong.push(format!("{name} names `{other}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_edge_and_what_puts_it_together_know_actix() {
    let knows = |source: &Source| source.code.contains("actix_") && !ACTIX.contains(&source.room.as_str());
    let wrong: Vec<_> = sources().into_iter().filter(knows).map(|source| source.name).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_three_tables_are_filled_at_link_time() {
    let named: Vec<_> = sources().into_iter().filter(|source| source.code.contains("inventory::")).collect();
    let named: BTreeSet<_> = named.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(named, BTreeSet::from(INVENTORY));
}

#[test]
fn paths_are_found_in_every_form() {
    let code = code(
        "use crate::{\n    Error,\n    db::{self, page::{A, B}}, http,\n};\n// crate::app\nfn f(x: crate::guard::G) {}\n$crate::testing::x!();\n#[cfg(test)]\nmod tests { use crate::app; }",
    );
    let expected = ["error", "db", "http", "guard"].map(str::to_owned);
    assert_eq!(named(&code), BTreeSet::from(expected));
}

/// `docs/SECURITY.md` says of what is defended which test shows it; each of them exists.
#[test]
fn every_test_that_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/SECURITY.md")).expect("it is readable");
    let places = [("it/", "bunbase/tests/it/"), ("src/", "bunbase/src/"), ("accounts", "examples/accounts/tests.rs")];
    let mut named = 0;
    for quoted in page.split('`').skip(1).step_by(2) {
        let Some((path, test)) = quoted.split_once(": ") else { continue };
        let Some((place, folder)) = places.iter().find(|(place, _)| path.starts_with(place)) else { continue };
        let file = root.join(path.replacen(place, folder, 1));
        let source = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(source.contains(&format!("fn {test}(")), "{quoted} is not there");
        named += 1;
    }
    assert!(named > 200, "{named}");
}
