//! One benchmark per claim, and a runner for all scenarios of a server.
//!
//! `cargo run --release -p bunbase-benches -- run`: how many requests a second, how fast, and for what? See [`runner`].
//!
//! `cargo run --release -p bunbase-benches -- queue`: how fast is the queue? See [`queue`].
//!
//! `cargo run --release -p bunbase-benches -- runs`: what does it cost to record every run? See [`runs`].
//!
//! `cargo run --release -p bunbase-benches -- pool`: what do kept connections save? See [`pool`].
//!
//! `cargo run --release -p bunbase-benches -- observe`: what does it cost to see everything? See [`observe`].
//!
//! `cargo run --release -p bunbase-benches -- sessions`: what does it cost to know who is calling? See [`sessions`].
//!
//! `cargo run --release -p bunbase-benches -- counts`: how many instructions does a request take? See [`runner`].
//!
//! Is an action as fast as a handler written by hand?
//!
//! `cargo run --release -p bunbase-benches [ROUNDS] [REQUESTS]` starts two servers of one worker each, as processes of their own: an
//! action, and the same endpoint on actix-web alone. It loads them in turn over loopback, so that both meet the same noise,
//! and prints each round and the ratio. Defaults: 5 rounds of 40 000 requests, over 8 connections.

mod action;
mod cost;
mod load;
mod observe;
mod peers;
mod pool;
mod queue;
mod raw;
mod report;
mod runner;
mod runs;
mod server;
mod sessions;
mod twin;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// What can go wrong in a benchmark.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Connections at a time, each with one request at a time.
const CONNECTIONS: usize = 8;

/// A server in a process of its own, killed when dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(kind: &[&str]) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg("server").args(kind).stdout(Stdio::piped());
        if kind.iter().any(|setting| setting.starts_with("log.level=")) {
            // It is written, and nobody reads it.
            command.stderr(Stdio::null());
        }
        let mut process = command.spawn()?;
        let out = process.stdout.take().ok_or_else(|| std::io::Error::other("no output"))?;
        for line in BufReader::new(out).lines() {
            if let Some((_, address)) = line?.split_once("http://") {
                return Ok(Self { process, address: address.trim().to_owned() });
            }
        }
        Err(std::io::Error::other(format!("the server `{kind:?}` did not say where it listens")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server", "action"] => action::serve("sqlite::memory:", &[]).map_err(std::io::Error::other),
        ["server", "recorded", url, settings @ ..] => action::serve(url, settings).map_err(std::io::Error::other),
        ["server", "raw"] => raw::serve(),
        ["server", "bench", settings @ ..] => server::serve(settings).map_err(std::io::Error::other),
        ["server", "twin"] => twin::serve().map_err(std::io::Error::other),
        words @ (["run" | "compare" | "counts", ..] | ["--help" | "help" | "-h"]) => match runner::main(words) {
            Ok(true) => Ok(()),
            Ok(false) => std::process::exit(1),
            Err(error) => {
                writeln!(std::io::stderr(), "{error}")?;
                std::process::exit(2)
            }
        },
        ["observe", options @ ..] => observe::main(options),
        ["pool", options @ ..] => pool::main(options),
        ["queue", options @ ..] => queue::main(options),
        ["runs", options @ ..] => runs::main(options),
        ["sessions", options @ ..] => sessions::main(options),
        numbers => {
            let number = |index: usize, default| numbers.get(index).map_or(Ok(default), |text| text.parse());
            let rounds = number(0, 5).map_err(std::io::Error::other)?;
            let requests = number(1, 40_000).map_err(std::io::Error::other)?;
            compare(rounds, requests)
        }
    }
}

/// Loads both servers in turn and prints what they did.
fn compare(rounds: usize, requests: usize) -> std::io::Result<()> {
    let (action, raw) = (Server::start(&["action"])?, Server::start(&["raw"])?);
    let mut out = std::io::stdout();
    for server in [&action, &raw] {
        load::run(&server.address, CONNECTIONS, requests / 10)?;
    }
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let rate =
            |server: &Server| load::run(&server.address, CONNECTIONS, requests).map(|time| per_second(requests, time));
        let (of_action, of_raw) = (rate(&action)?, rate(&raw)?);
        ratios.push(of_action / of_raw);
        writeln!(
            out,
            "round {round}: action {of_action:>8.0}/s   raw actix-web {of_raw:>8.0}/s   ratio {:.3}",
            of_action / of_raw
        )?;
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or_default();
    writeln!(out, "median ratio {median:.3} (above 1: the action is faster)")
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn per_second(requests: usize, time: Duration) -> f64 {
    requests as f64 / time.as_secs_f64()
}
