//! What does it cost to see everything?
//!
//! `cargo run --release -p bunbase-benches -- observe [--quick]` compares servers that measure, trace and log with one that does none of it: the
//! processor time of a request to an action without I/O, all together and one switch at a time, in turn and round by round.

use crate::{
    Result,
    cost::{Asked, more},
    report::{Goal, Report},
    runner,
};

/// Nothing is seen, and runs are not recorded: `runs` is about that.
const OFF: [&str; 3] = ["persistence.enabled=false", "metrics.access=off", "tracing.enabled=false"];

/// Nobody listens there: what is sent costs as much as it can, and is lost.
const NOWHERE: [&str; 3] =
    ["tracing.enabled=true", "tracing.sampling_ratio=0.01", "tracing.endpoint=http://127.0.0.1:9/v1/traces"];

/// What is on, and what the performance guide of the TypeScript framework says that it costs there.
const SWITCHES: [(&str, &[&str], Option<f64>); 8] = [
    ("nothing: two servers that are alike", &[], None),
    ("metrics (the guide: 1 to 2 %)", &["metrics.access=public"], None),
    ("traces, 1 % of them sampled (the guide: less than 1 %)", &NOWHERE, None),
    ("JSON log at info", &["log.level=info", "log.format=json", "log.requests=failed"], None),
    ("JSON log at info, and a line for each request", &["log.level=info", "log.format=json", "log.requests=all"], None),
    ("JSON log at debug (the guide: 5 to 10 %)", &["log.level=debug", "log.format=json", "log.requests=failed"], None),
    (
        "JSON log at info by OTLP (the guide: less than 1 %)",
        &[
            "log.level=info",
            "log.format=json",
            "log.requests=failed",
            "log.otlp=true",
            "otlp.endpoint=http://127.0.0.1:9",
        ],
        None,
    ),
    (
        "metrics, traces of which 1 % are sampled, and JSON log at info",
        &[
            "metrics.access=public",
            "tracing.enabled=true",
            "tracing.sampling_ratio=0.01",
            "tracing.endpoint=http://127.0.0.1:9/v1/traces",
            "log.level=info",
            "log.format=json",
            "log.requests=failed",
        ],
        Some(3.0),
    ),
];

/// Runs the benchmark with what the command line says after `observe`.
pub(crate) fn main(options: &[&str]) -> std::io::Result<()> {
    let (rounds, requests) = match options {
        [] => (9, 100_000),
        ["--quick"] => (5, 30_000),
        _ => {
            let text = "write: observe [--quick]";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
        }
    };
    compare(rounds, requests).map_err(std::io::Error::other)
}

fn compare(rounds: usize, requests: usize) -> Result<()> {
    let mut report = Report::new("observe");
    let start = |on: &[&str]| {
        let settings: Vec<&str> = OFF.iter().chain(on).copied().collect();
        Asked::start(None, &settings, runner::request("action-post")?)
    };
    for (what, on, goal) in SWITCHES {
        let more = more(&start(&[])?, &start(on)?, rounds, requests)?;
        let what = format!("time that a request takes more: {what}");
        match goal {
            Some(most) => report.target("memory", &what, (more, "%"), Goal::AtMost(most))?,
            None => report.add("memory", &what, more, "%")?,
        }
    }
    report.finish()
}
