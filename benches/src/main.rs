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

mod cost;
mod load;
mod observe;
mod peers;
mod pool;
mod queue;
mod report;
mod runner;
mod runs;
mod server;
mod sessions;
mod twin;

use std::{io::Write, time::Duration};

/// What can go wrong in a benchmark.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server", "bench", settings @ ..] => server::serve(settings).map_err(std::io::Error::other),
        ["server", "twin"] => twin::serve().map_err(std::io::Error::other),
        ["observe", options @ ..] => observe::main(options),
        ["pool", options @ ..] => pool::main(options),
        ["queue", options @ ..] => queue::main(options),
        ["runs", options @ ..] => runs::main(options),
        ["sessions", options @ ..] => sessions::main(options),
        // The others are its subcommands, and it says which there are.
        words => match runner::main(words) {
            Ok(true) => Ok(()),
            Ok(false) => std::process::exit(1),
            Err(error) => {
                writeln!(std::io::stderr(), "{error}")?;
                std::process::exit(2)
            }
        },
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn per_second(requests: usize, time: Duration) -> f64 {
    requests as f64 / time.as_secs_f64()
}
