//! `run` for real, for a second, where a load tool is there.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bunbase-benches");

/// Returns a load tool that is there already: a test installs nothing.
fn tool() -> Option<&'static str> {
    let own = Path::new(PROGRAM).ancestors().nth(2).map(|target| target.join("tools").join("bin"));
    let folders: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).chain(own).collect();
    ["oha", "wrk"].into_iter().find(|name| folders.iter().any(|folder| folder.join(name).is_file()))
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("a file of results");
    serde_json::from_slice(&bytes).expect("results")
}

#[test]
fn a_scenario_is_measured_stored_and_compared() {
    let Some(tool) = tool() else {
        eprintln!("left out: neither oha nor wrk is there");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let call = |words: &[&str]| {
        let output = Command::new(PROGRAM).args(words).arg("--results").arg(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) = call(&[
        "run",
        "--scenario",
        "simple-get",
        "--duration",
        "1",
        "--runs",
        "1",
        "--warmup",
        "false",
        "--connections",
        "8",
        "--tool",
        tool,
        "--save-baseline",
    ]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("│ simple-get") && text.contains("100%"), "{text}");

    let results = read(&folder.path().join("results-latest.json"));
    let measured = &results["scenarios"][0];
    assert_eq!((measured["scenario"].as_str(), measured["errors"].as_u64()), (Some("simple-get"), Some(0)));
    assert!(measured["throughput"].as_f64().unwrap() > 0.0, "{measured}");
    assert!(measured["runs"][0]["latency_ms"]["p99"].as_f64().unwrap() > 0.0, "{measured}");
    assert!(results["conditions"]["ceilings"][tool].as_f64().unwrap() > 0.0, "{results}");

    // With itself, whatever the machine was doing.
    let (code, text) = call(&["compare"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("no regression"), "{text}");

    // A server that was twice as fast once.
    let class = results["machine"]["class"].as_str().unwrap();
    let mut baseline = results.clone();
    baseline["scenarios"][0]["throughput"] = (measured["throughput"].as_f64().unwrap() * 2.0).into();
    let mut sound = [results.clone(), baseline];
    for one in &mut sound {
        one["unsound"] = Value::Array(Vec::new());
        one["scenarios"][0]["unsound"] = Value::Array(Vec::new());
    }
    std::fs::write(folder.path().join("results-latest.json"), sound[0].to_string()).unwrap();
    std::fs::write(folder.path().join(format!("baseline-{class}.json")), sound[1].to_string()).unwrap();
    let markdown = folder.path().join("comparison.md");
    let (code, text) = call(&["compare", "--markdown", markdown.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("REGRESSION"), "{text}");
    assert!(std::fs::read_to_string(markdown).unwrap().contains("-50.0%"));
}

#[test]
fn a_scenario_that_is_not_known_is_refused_with_those_that_are() {
    let output = Command::new(PROGRAM).args(["run", "--scenario", "action-got"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("`action-got`") && text.contains("action-get"), "{text}");
}
