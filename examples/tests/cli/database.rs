//! Commands that make migrations, run seeds, look at the database and copy it.

use std::fs;

use crate::{
    commands::assert_told,
    postgres,
    process::{Place, Said, Server, command, is_postgres, run},
};

/// Runs a command that is to succeed.
fn done(place: &Place, arguments: &[&str]) -> String {
    let said = run(&mut command(place, arguments));
    assert!(said.ok, "{arguments:?}: {}", said.err);
    said.out
}

fn tried(place: &Place, arguments: &[&str]) -> Said {
    run(&mut command(place, arguments))
}

fn write(place: &Place, name: &str, text: &str) {
    let path = place.path().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

#[test]
fn a_new_migration_is_written_planned_applied_and_kept_as_it_was() {
    let place = Place::new();
    assert_told(&tried(&place, &["migrate", "new", "tags"]), &["in Rust", ".sql_migrations(\"migrations\")"]);
    fs::create_dir(place.path().join("migrations")).expect("made");
    assert_told(&tried(&place, &["migrate", "new", "Create Tags"]), &["`Create Tags`", "`create_task`"]);
    let said = done(&place, &["migrate", "new", "create_tags"]);
    let made: Vec<_> = said.lines().map(|line| line.strip_prefix("made  ").expect("a file")).collect();
    assert!(made[0].ends_with("_create_tags.sql") && made[1].ends_with("_create_tags.down.sql"), "{said}");
    assert_told(&tried(&place, &["migrate", "new", "create_tags"]), &["has this name already"]);
    assert_told(&tried(&place, &["migrate"]), &["_create_tags.sql` has no statement yet"]);

    write(&place, made[0], "CREATE TABLE tags (id INTEGER PRIMARY KEY NOT NULL);\n");
    let plan = done(&place, &["migrate", "plan"]);
    assert!(plan.contains("CREATE TABLE \"notes\"") && plan.contains("CREATE TABLE tags"), "{plan}");
    let status = done(&place, &["migrate", "status"]);
    assert!(status.lines().all(|line| line.starts_with("pending")), "{status}");
    done(&place, &["migrate"]);
    assert_eq!(done(&place, &["migrate", "plan"]), "-- nothing is pending\n");

    write(&place, made[0], "CREATE TABLE tags (id BIGINT);\n");
    assert_told(&tried(&place, &["migrate"]), &["_create_tags.sql` was applied and has changed since", "migrate new"]);
    assert_told(&tried(&place, &["serve", "--port", "0"]), &["_create_tags.sql` was applied and has changed since"]);
    let status = done(&place, &["migrate", "status"]);
    assert!(status.lines().any(|line| line.starts_with("CHANGED") && line.contains("_create_tags")), "{status}");
}

#[test]
fn seeds_run_once_or_each_time() {
    let place = Place::new();
    assert_eq!(done(&place, &["seed"]), "nothing seeded\n");
    write(&place, "seeds/0001_first.sql", "INSERT INTO notes (text) VALUES ('first')");
    write(&place, "seeds/0003_again.repeat.sql", "INSERT INTO notes (text) VALUES ('again')");
    assert_eq!(done(&place, &["seed", "--only", "0002_welcome"]), "seeded  0002_welcome\n");
    assert_eq!(done(&place, &["seed"]), "seeded  0001_first\nseeded  0003_again\n");
    assert_eq!(done(&place, &["seed"]), "seeded  0003_again\n");
    assert_eq!(done(&place, &["call", "count_notes"]), "4\n");
    assert_told(&tried(&place, &["seed", "--only", "0009"]), &["`0009`", "0001_first, 0002_welcome, 0003_again"]);

    write(&place, "seeds/0001_first.sql", "INSERT INTO notes (text) VALUES ('other')");
    assert_told(&tried(&place, &["seed"]), &["`0001_first.sql` ran and has changed since"]);
    let listed = done(&place, &["seed", "--list"]);
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "RUNS", "SOURCE", "RAN"]);
    assert_eq!(rows[1], ["0001_first", "once", "SQL", "file", "CHANGED", "since", "it", "ran"]);
    assert_eq!(rows[2][..3], ["0002_welcome", "once", "Rust"]);
    write(&place, "seeds/0001_first.sql", "INSERT INTO nowhere (text) VALUES ('first')");
    write(&place, "seeds/0004_wrong.sql", "INSERT INTO nowhere (text) VALUES ('first')");
    assert_told(&tried(&place, &["seed", "--only", "0004_wrong"]), &["the seed `0004_wrong` failed", "nowhere"]);
}

#[bunbase::test(worker_threads = 2)]
async fn seeds_run_at_the_start_where_that_is_wanted() {
    let place = Place::new();
    write(&place, "seeds/0001_first.sql", "INSERT INTO notes (text) VALUES ('first')");
    let server = Server::start(command(&place, &["--port", "0"]).env("BUNBASE__DATABASE__SEED_ON_START", "true"));
    let count = reqwest::get(format!("{}/notes", server.url)).await.expect("an answer");
    assert_eq!(count.text().await.expect("a body"), "2");
}

#[test]
fn plans_of_statements_are_shown() {
    let place = Place::new();
    done(&place, &["migrate"]);
    let plan = done(&place, &["db", "explain", "SELECT * FROM notes WHERE id = 1"]);
    assert!(plan.contains("notes"), "{plan}");
    assert_told(&tried(&place, &["db", "explain", "SELECT 1; DROP TABLE notes"]), &["one statement"]);
    assert_told(&tried(&place, &["db", "explain", "SELECT * FROM nowhere"]), &["no plan", "nowhere"]);
    let analyzed = tried(&place, &["db", "explain", "--analyze", "INSERT INTO notes (text) VALUES ('x')"]);
    if is_postgres() {
        assert!(analyzed.out.contains("actual time"), "{analyzed:?}");
    } else {
        assert_told(&analyzed, &["--analyze"]);
    }
    assert_eq!(done(&place, &["call", "count_notes"]), "0\n");
}

#[test]
fn what_is_slow_is_listed_or_it_is_said_how_to_count() {
    let place = Place::new();
    done(&place, &["call", "add_note", r#"{"text": "weed"}"#]);
    let said = tried(&place, &["db", "slow"]);
    if is_postgres() {
        assert_told(&said, &["CREATE EXTENSION pg_stat_statements"]);
    } else {
        assert!(said.out.contains("SQLite does not count") && said.out.contains("add_note"), "{said:?}");
    }
}

#[test]
fn statements_are_listed_where_the_server_counts_them() {
    let Some(server) = postgres::start("-c shared_preload_libraries=pg_stat_statements") else { return };
    let place = Place::new();
    let on_server = |arguments: &[&str]| run(command(&place, arguments).env("DATABASE_URL", server.url()));
    let created = r#"{"text": "weed", "times": 3}"#;
    assert!(on_server(&["call", "add_note", created]).ok);
    assert_told(&on_server(&["db", "slow"]), &["CREATE EXTENSION pg_stat_statements"]);
    fs::create_dir(place.path().join("migrations")).expect("made");
    write(&place, "migrations/0001_count.sql", "CREATE EXTENSION pg_stat_statements");
    assert!(on_server(&["migrate"]).ok);
    assert!(on_server(&["call", "add_note", created]).ok);
    let said = on_server(&["db", "slow"]);
    let lines: Vec<_> = said.out.lines().collect();
    assert!(lines[0].starts_with("CALLS") && lines.len() > 2 && lines.len() <= 11, "{said:?}");
    assert!(lines[1].split_whitespace().next().is_some_and(|calls| calls.parse::<u64>().is_ok()), "{said:?}");
}

#[test]
fn a_backup_of_a_served_database_is_restored_once_the_server_has_stopped() {
    let place = Place::new();
    let copy = ["db", "backup", "copy.db"];
    if is_postgres() {
        assert_told(&tried(&place, &copy), &["pg_dump --format=custom --file='copy.db' 'postgres://"]);
        assert_told(&tried(&place, &["db", "restore", "copy.db"]), &["pg_restore --clean", "'copy.db'"]);
        return;
    }
    done(&place, &["call", "add_note", r#"{"text": "weed"}"#]);
    let server = Server::start(&mut command(&place, &["serve", "--port", "0"]));
    assert!(done(&place, &copy).starts_with("saved  copy.db ("));
    assert_told(&tried(&place, &copy), &["copy.db exists", "--force"]);
    done(&place, &["call", "add_note", r#"{"text": "mow"}"#]);
    assert_told(&tried(&place, &["db", "restore", "copy.db"]), &["data/app.db exists", "--force"]);
    let restore = ["db", "restore", "copy.db", "--force"];
    assert_told(&tried(&place, &restore), &["data/app.db is in use", "stop every process"]);
    server.signal("TERM");
    assert!(server.ended().success());
    assert_eq!(done(&place, &restore), "restored  data/app.db\n");
    assert_eq!(done(&place, &["call", "count_notes"]), "1\n");
    // Somewhere else, where there is none.
    let other = Place::new();
    let from = place.path().join("copy.db").display().to_string();
    done(&other, &["db", "restore", &from]);
    assert_eq!(done(&other, &["call", "count_notes"]), "1\n");
}

#[test]
fn entities_are_written_and_not_over_what_a_person_wrote() {
    let place = Place::new();
    done(&place, &["migrate"]);
    let written = done(&place, &["entity", "generate", "--out", "entity", "--tables", "notes"]);
    assert!(written.contains("written  entity/notes.rs"), "{written}");
    let notes = fs::read_to_string(place.path().join("entity/notes.rs")).expect("written");
    assert!(notes.contains("pub text: String") && !place.path().join("entity/job_queue.rs").exists(), "{notes}");
    assert_eq!(done(&place, &["entity", "generate", "--out", "entity"]), "nothing written\n");
    write(&place, "entity/notes.rs", "// mine");
    assert_told(&tried(&place, &["entity", "generate", "--out", "entity"]), &["entity/notes.rs", "--force"]);
    done(&place, &["entity", "generate", "--out", "entity", "--force"]);
    assert_told(&tried(&place, &["entity", "generate", "--tables", "swim"]), &["`swim`", "notes"]);
}
