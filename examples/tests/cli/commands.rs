//! Commands that answer and end.

use std::{fs, net::TcpListener};

use crate::process::{Place, Said, command, run};
use serde_json::Value;

/// Runs a command in a folder of its own.
fn alone(arguments: &[&str]) -> Said {
    run(&mut command(&Place::new(), arguments))
}

/// Asserts that a command failed in words: one message, and no dump of a Rust value.
pub fn assert_told(said: &Said, parts: &[&str]) {
    assert!(!said.ok && said.out.is_empty(), "{said:#?}");
    let told = said.err.lines().find_map(|line| line.strip_prefix("error: "));
    assert!(told.is_some_and(|text| !text.contains("internal error")), "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part:?} is not in: {}", said.err);
    }
    for dump in ["Error {", "Err(", "Some(", "RuntimeErr", "SqlxError", "panicked"] {
        assert!(!said.err.contains(dump), "{dump:?} is in: {}", said.err);
    }
}

#[test]
fn help_lists_the_commands() {
    let said = alone(&["--help"]);
    assert!(said.ok);
    for command in [
        "serve",
        "dev",
        "migrate",
        "seed",
        "check",
        "db",
        "entity",
        "routes",
        "openapi",
        "call",
        "worker",
        "jobs",
        "schedules",
        "runs",
        "mcp",
    ] {
        assert!(said.out.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {}", said.out);
    }
    assert_told(&alone(&["swim"]), &["swim", "--help"]);
}

#[test]
fn the_version_is_that_of_the_package_unless_it_is_configured() {
    for flag in ["--version", "-V"] {
        assert_eq!(alone(&[flag]).out, concat!("notes ", env!("CARGO_PKG_VERSION"), "\n"));
    }
    let place = Place::new();
    let said = run(command(&place, &["--version"]).env("BUNBASE__APP__VERSION", "7.0.0"));
    assert_eq!(said.out, "notes 7.0.0\n");
}

#[test]
fn routes_are_a_table() {
    let guards = alone(&["routes", "--guards"]);
    for part in
        ["ACTION", "FROM", "anybody may call it", "1 parameter", "api_key", "401 api_key_missing, 401 api_key_unknown"]
    {
        assert!(guards.out.contains(part), "{part} is not in: {}", guards.out);
    }
    let said = alone(&["routes"]);
    let rows: Vec<Vec<_>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["METHOD", "PATH", "ACTION", "GUARDS", "SOURCE"]);
    assert_eq!(rows[1][..4], ["GET", "/notes", "count_notes", "-"]);
    assert_eq!(rows[2][..4], ["POST", "/notes", "add_note", "-"]);
    let tools: Vec<_> = rows[3..6].iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(
        tools,
        [["TOOL", "add_note", "add_note"], ["TOOL", "count_notes", "count_notes"], ["TOOL", "who-am-i", "who"]]
    );
    assert_eq!(rows[6][..4], ["-", "-", "who_calls", "ApiKey"]);
    assert_eq!(rows[7][..4], ["-", "-", "visit", "-"]);
    assert_eq!(rows.len(), 8);
}

#[test]
fn call_prints_the_answer() {
    let place = Place::new();
    for count in ["2\n", "4\n"] {
        let said = run(&mut command(&place, &["call", "add_note", r#"{"text": "weed", "times": 2}"#]));
        assert_eq!(said.out, count, "{}", said.err);
    }
    assert_eq!(run(&mut command(&place, &["call", "count_notes"])).out, "4\n");
}

#[test]
fn call_names_every_wrong_field_and_an_action_that_is_not_there() {
    let wrong = alone(&["call", "add_note", r#"{"text": "", "times": 9, "colour": "red"}"#]);
    assert_told(&wrong, &["/text", "/times", "/colour"]);
    assert_told(&alone(&["call", "add_notes", "{}"]), &["add_notes"]);
    assert_told(&alone(&["call", "add_note", "{"]), &["not JSON"]);
}

#[test]
fn call_can_say_who_calls() {
    let place = Place::new();
    let call = |arguments: &[&str]| run(&mut command(&place, &[&["call", "who_calls"], arguments].concat()));
    let said: Value = serde_json::from_str(&call(&["--as", "service:ci"]).out).expect("JSON");
    assert_eq!(said, serde_json::json!(["ci", "service:ci"]));
    assert_told(&call(&[]), &["X-Api-Key"]);
    for other in ["user:7", "system"] {
        assert_told(&call(&["--as", other]), &["X-Api-Key"]);
    }
    for wrong in ["ci", "service:", "robot:7", "system:7"] {
        assert_told(&call(&["--as", wrong]), &[wrong, "service:NAME"]);
    }
}

#[test]
fn runs_are_listed_and_shown_with_what_they_logged() {
    let place = Place::new();
    let said = |arguments: &[&str]| run(&mut command(&place, arguments));
    assert!(said(&["call", "add_note", r#"{"text": "weed"}"#]).ok);
    // Nobody listens there.
    assert!(!said(&["call", "add_note", r#"{"text": "weed", "until": "127.0.0.1:1"}"#]).ok);
    let rows = |arguments: &[&str]| -> Vec<Vec<String>> {
        let said = said(arguments);
        said.out.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    };
    let all = rows(&["runs"]);
    assert_eq!(all[0], ["ID", "STARTED", "DOOR", "STATUS", "ATTEMPT", "MS", "CODE", "TRACE", "ACTION"]);
    let states: Vec<_> = all[1..].iter().map(|row| (row[2].as_str(), row[3].as_str(), row[8].as_str())).collect();
    assert_eq!(states, [("call", "failed", "add_note"), ("call", "succeeded", "add_note")], "the newest first");
    let failed = rows(&["runs", "--failed", "--action", "add_note"]);
    assert_eq!(failed[1..], all[1..2]);
    assert_eq!(rows(&["runs", "--action", "count_notes"]).len(), 1);
    for id in [&all[1][0], &all[1][7]] {
        let shown = said(&["runs", "show", id]);
        for part in [&all[1][0], &all[1][7], "failed", "error the run failed", "refused"] {
            assert!(shown.out.contains(part), "{part:?} is not in: {}", shown.out);
        }
    }
    assert_told(&said(&["runs", "show", "00000000-0000-0000-0000-000000000000"]), &["00000000", "no trace"]);
}

#[test]
fn migrations_go_up_and_down() {
    let place = Place::new();
    let migrate = |step: &[&str]| {
        let said = run(&mut command(&place, &[&["migrate"], step].concat()));
        assert!(said.ok, "{step:?}: {}", said.err);
        said.out
    };
    let state = || {
        let status = migrate(&["status"]);
        status.lines().find(|line| line.contains("m0001_notes")).map(|line| line.trim_start().starts_with("applied"))
    };
    assert_eq!(state(), Some(false));
    assert!(migrate(&["up"]).contains("applied  m0001_notes"));
    assert_eq!(state(), Some(true));
    assert_eq!(migrate(&[]), "nothing applied\n", "`up` is the default");
    assert!(migrate(&["down"]).contains("taken back  m0001_notes"));
    assert_eq!(state(), Some(false));
    migrate(&["up"]);
    run(&mut command(&place, &["call", "add_note", r#"{"text": "weed"}"#]));
    assert!(migrate(&["fresh"]).contains("applied  m0001_notes"));
    assert_eq!(run(&mut command(&place, &["call", "count_notes"])).out, "0\n");
}

#[test]
fn fresh_in_production_has_to_be_meant() {
    let place = Place::new();
    let production = |arguments| run(command(&place, arguments).env("BUNBASE_ENV", "production"));
    assert_told(&production(&["migrate", "fresh"]), &["--force"]);
    let forced = production(&["migrate", "fresh", "--force"]);
    assert!(forced.ok, "{}", forced.err);
}

#[test]
fn a_key_that_does_not_exist_is_told_with_its_file_and_the_one_that_was_meant() {
    let place = Place::new();
    fs::write(place.path().join("bunbase.toml"), "[http]\nporrt = 8080\n\n[log]\nlevle = \"info\"\n").expect("written");
    let said = run(&mut command(&place, &["serve"]));
    assert_told(&said, &["http.porrt", "http.port", "log.levle", "log.level", "bunbase.toml"]);
    // Also by a command that needs no port.
    assert_told(&run(&mut command(&place, &["routes"])), &["http.porrt"]);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let port = taken.local_addr().expect("an address").port().to_string();
    assert_told(&alone(&["--port", &port]), &[&address, "--port"]);
}

#[test]
fn a_database_that_cannot_be_used_is_told() {
    let place = Place::new();
    let with = |url: &str| run(command(&place, &["serve", "--port", "0"]).env("DATABASE_URL", url));
    assert_told(&with("oracle://localhost/x"), &["DATABASE_URL", "sqlite://", "postgres://"]);
    assert_told(&with("sqlite:///dev/null/no/app.db"), &["/dev/null/no"]);
}

#[test]
fn a_server_that_is_away_is_told_with_its_address_and_the_cause_and_without_the_password() {
    let place = Place::new();
    for arguments in [&["serve", "--port", "0"][..], &["migrate", "up"], &["migrate", "status"], &["migrate", "down"]] {
        let said = run(command(&place, arguments).env("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/app"));
        assert_told(&said, &["postgres://me:***@127.0.0.1:1/app", "refused"]);
        assert!(!said.err.contains("hunter2"), "{}", said.err);
    }
}

#[test]
fn a_document_is_printed_without_a_database() {
    let place = Place::new();
    let said = run(&mut command(&place, &["openapi"]));
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(document["info"]["title"], "notes");
    assert!(!place.path().join("data").exists());
}
