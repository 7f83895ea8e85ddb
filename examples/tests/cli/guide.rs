//! docs/performance.md: every block of it is what it says. Its programs are compiled as documentation of the crate (`bunbase/src/lib.rs`),
//! its PromQL is run by `.ci/check-ops`.

use std::{fs, path::Path, process::Command};

use bunbase::{
    config::{Loader, keys},
    db::{Db, Settings, testing::PostgresServer},
};

use crate::process::{Place, command, run};

struct Block {
    /// What stands behind the fence.
    kind: String,
    line: usize,
    text: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect("it is there")
}

fn page() -> String {
    read("docs/performance.md")
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(page().lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some(Block { kind: kind.to_owned(), line: number, text: String::new() }),
            (Some(_), Some(end)) => {
                assert!(end.is_empty(), "line {number}");
                blocks.extend(open.take());
            }
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block does not end");
    blocks
}

fn of(kind: &str) -> Vec<Block> {
    let found: Vec<_> = blocks().into_iter().filter(|block| block.kind == kind).collect();
    assert!(!found.is_empty(), "there is none");
    found
}

/// The lines of a configuration that are no comments.
fn settings(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn every_block_is_of_a_language_that_something_checks() {
    for Block { kind, line, text } in blocks() {
        match kind.as_str() {
            "toml" | "sql" | "sh" | "nginx" | "ini" => {}
            "rust" => {
                let crate_docs = read("bunbase/src/lib.rs");
                assert!(
                    crate_docs.contains("#[doc = include_str!(\"../../docs/performance.md\")]"),
                    "nothing compiles it"
                );
            }
            "promql" => {
                assert!(read(".ci/ops/live.py").contains("names.of_page(\"docs/performance.md\")"), "nothing runs it");
            }
            // Drawings.
            "text" => assert!(text.lines().all(|line| !line.ends_with([';', '{'])), "line {line} looks like a program"),
            other => panic!("line {line}: nothing checks `{other}`"),
        }
    }
}

#[test]
fn configurations_are_read_by_the_application() {
    for Block { line, text, .. } in of("toml") {
        let loaded = Loader::new().file(text).load();
        loaded.unwrap_or_else(|errors| panic!("line {line}: {errors}"));
    }
}

#[test]
fn every_setting_that_tunes_something_is_explained() {
    let page = page();
    let tuned = ["database.", "redis.", "http.", "queue.", "persistence.", "metrics.", "cache."];
    let keys: Vec<_> = keys().iter().filter(|key| tuned.iter().any(|section| key.name.starts_with(section))).collect();
    assert!(keys.len() > 50, "{}", keys.len());
    for key in keys {
        // `cache` and `kv` follow `redis.url`.
        assert!(page.contains(&format!("`{}`", key.name)), "{} is not on the page", key.name);
    }
}

#[test]
fn keys_that_are_named_exist() {
    let page = page();
    let all: Vec<_> = keys().iter().map(|key| key.name).collect();
    let sections: Vec<_> = all.iter().filter_map(|key| key.split('.').next()).collect();
    let ids: Vec<_> =
        page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.split('|').nth(2)).collect();
    let prose = page.split("```").step_by(2).collect::<String>();
    let mut named = 0;
    for quoted in prose.split('`').skip(1).step_by(2) {
        let name = quoted.split([' ', '=']).next().unwrap_or_default();
        let Some((section, key)) = name.split_once('.') else { continue };
        let is_key = sections.contains(&section) && !key.is_empty();
        if !is_key || !key.bytes().all(|sign| sign.is_ascii_lowercase() || sign == b'_') {
            continue;
        }
        let is_id = ids.iter().any(|id| id.trim() == format!("`{name}`"));
        assert!(all.contains(&name) || is_id, "`{name}` is no key");
        named += 1;
    }
    assert!(named > 100, "{named}");
}

#[test]
fn sql_runs_on_postgres_in_the_order_of_the_page() {
    let Some(server) = PostgresServer::start(|_| String::new()).expect("it starts where it must") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for Block { line, text, .. } in of("sql") {
        runtime.block_on(async {
            let db = Db::open(&Settings::new(server.url())).await.expect("opened");
            let text: String = text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
            for statement in text.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
                let done = db.sql(statement).execute().await;
                done.unwrap_or_else(|error| panic!("line {line}: {statement}: {error:?}"));
            }
            db.close().await;
        });
        if text.contains("shared_preload_libraries") {
            server.crash().expect("it stops");
            server.up().expect("it starts");
        }
    }
}

/// What nginx is told is told in docs/ops, which `.ci/check-ops` runs.
#[test]
fn configurations_of_proxies_are_those_that_are_checked() {
    let files = ["docs/ops/nginx/bunbase.conf", "docs/ops/nginx/cache.conf"].map(read);
    let lines = |text: &str| settings(text).map(str::to_owned).collect::<Vec<_>>();
    for Block { line, text, .. } in of("nginx") {
        let block = lines(&text);
        let is_part = |file: &String| lines(file).windows(block.len()).any(|part| part == block);
        assert!(files.iter().any(is_part), "line {line} is in no file of docs/ops/nginx");
    }
    let proxies = read(".ci/ops/proxies.py");
    assert!(proxies.contains("nginx/bunbase.conf") && proxies.contains("nginx/cache.conf"), "nothing runs them");
    // PgBouncer, as the tests run behind it.
    let tested = read(".ci/pgbouncer");
    for Block { text, line, .. } in of("ini") {
        for setting in settings(&text).filter(|setting| !setting.starts_with("app = ")) {
            assert!(tested.lines().any(|tested| tested == setting), "line {line}: {setting} is not in .ci/pgbouncer");
        }
    }
}

#[test]
fn metrics_that_are_named_are_measured() {
    let mut sources = String::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunbase/src"), &mut sources);
    let page = page();
    let names = page.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let mut seen = 0;
    for name in names.filter(|name| ["bunbase_", "process_"].iter().any(|prefix| name.starts_with(prefix))) {
        // The cache of nginx, and crates of Rust.
        if ["bunbase_cache", "bunbase_benches"].contains(&name) {
            continue;
        }
        let bare = ["_bucket", "_total"].iter().fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(sources.contains(&format!("\"{bare}")), "no metric is called {name}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

fn collect(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it is readable").path();
        if path.is_dir() {
            collect(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(path).expect("it is readable");
        }
    }
}

#[test]
fn command_lines_have_the_commands_and_flags_that_they_name() {
    let place = Place::new();
    for Block { line, text, .. } in of("sh") {
        for said in text.lines() {
            let words = words(said);
            let words: Vec<_> = words.iter().map(String::as_str).skip_while(|word| is_variable(word)).collect();
            match words.as_slice() {
                ["APP", arguments @ ..] => {
                    // A profile is written where that is built in.
                    if arguments.contains(&"--cpu-profile") && !cfg!(feature = "profiling") {
                        continue;
                    }
                    let help = run(&mut command(&place, &[arguments, &["--help"]].concat()));
                    assert!(help.ok && help.out.contains("Usage:"), "line {line}: {said}: {}", help.err);
                }
                ["cargo", "run", "--release", "-p", "bunbase-benches", "--", benchmark, "--quick"] => {
                    let readme = read("benches/README.md");
                    let known = format!("`cargo run --release -p bunbase-benches -- {benchmark} ");
                    let queue = format!("\ncargo run --release -p bunbase-benches -- {benchmark} ");
                    assert!(readme.contains(&known) || readme.contains(&queue), "line {line}: {said}");
                }
                ["cargo", "run", "--release", "-p", "bunbase-benches", "--", "run" | "compare", arguments @ ..] => {
                    let options = read("benches/src/runner/cli.rs");
                    for name in arguments.iter().filter_map(|word| word.strip_prefix("--")) {
                        let (field, long) = (format!(") {}:", name.replace('-', "_")), format!("long = \"{name}\""));
                        assert!(options.contains(&field) || options.contains(&long), "line {line}: --{name}");
                    }
                }
                ["curl", arguments @ ..] => {
                    let Ok(help) = Command::new("curl").args(["--help", "all"]).output() else { continue };
                    let help = String::from_utf8_lossy(&help.stdout).into_owned();
                    for flag in arguments.iter().filter(|word| word.starts_with('-')) {
                        assert!(help.contains(&format!("{flag}, ")), "line {line}: curl has no {flag}");
                    }
                    let url = arguments.iter().find(|word| word.starts_with("https://")).expect("an address");
                    let path = url.split("/_debug/").nth(1).and_then(|rest| rest.split('?').next()).expect("a page");
                    let ends = read("bunbase/src/config/mod.rs");
                    let ends = ends.lines().find(|line| line.contains("const DEBUG_ENDS")).expect("the ends");
                    assert!(ends.contains(&format!("\"{path}\"")), "line {line}: {url}");
                }
                _ => panic!("line {line}: nothing checks {said}"),
            }
        }
    }
}

fn is_variable(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|sign| sign.is_ascii_uppercase() || sign == b'_'))
}

/// Splits a line as a shell does, which needs no more than quotes here.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for sign in line.chars() {
        match (quote, sign) {
            (Some(end), sign) if sign == end => quote = None,
            (None, '"' | '\'') => quote = Some(sign),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(sign),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn links_lead_somewhere() {
    let page = page();
    let anchors: Vec<String> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let name = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            name.chars().filter(|sign| sign.is_alphanumeric() || *sign == '-').collect()
        })
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.iter().any(|name| name == anchor), "#{anchor}"),
            None => assert!(root.join(link).exists(), "{link}"),
        }
    }
}
