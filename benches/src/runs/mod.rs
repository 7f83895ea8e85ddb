//! What does it cost to record every run?
//!
//! `cargo run --release -p bunbase-benches -- runs [--postgres URL] [--quick]` makes databases of its own, as `queue` does. It measures what
//! taking a record costs a run, how many rows per second the buffer gets into each database, how much memory it takes when the
//! database does not keep up, and how much more a request to an action costs when its runs are recorded. What is compared runs in turn,
//! round by round.

mod buffer;
mod cost;
mod write;

use std::env;

use crate::{Result, queue::bed::Server, report::Report};

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Records that are taken, by each of the threads.
    taken: usize,
    /// Records that are written to each database.
    written: usize,
    /// Records that come while the database is away.
    overflowing: usize,
    /// Rounds of requests, and how many requests there are in each.
    rounds: usize,
    requests: usize,
}

const FULL: Size = Size { taken: 1_000_000, written: 1_000_000, overflowing: 2_000_000, rounds: 9, requests: 100_000 };

const QUICK: Size = Size { taken: 200_000, written: 200_000, overflowing: 400_000, rounds: 5, requests: 40_000 };

/// Runs the benchmark with what the command line says after `runs`.
pub(crate) fn main(options: &[&str]) -> std::io::Result<()> {
    let mut url =
        env::var("BUNBASE_TEST_POSTGRES_URL").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned());
    let mut size = FULL;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (*option, options.as_slice().first()) {
            ("--quick", _) => size = QUICK,
            ("--postgres", Some(value)) => {
                (*value).clone_into(&mut url);
                options.next();
            }
            _ => {
                let text = format!("`{option}` is not known; write: runs [--postgres URL] [--quick]");
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&url, size)).map_err(std::io::Error::other)
}

async fn measure(url: &str, size: Size) -> Result<()> {
    let mut report = Report::new("runs");
    buffer::taken(size, &mut report)?;
    buffer::overflowing(size, &mut report)?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    let server = Server::new(url).await?;
    let measured = async {
        write::rows("postgres", &server.database("runs").await?, size, &mut report).await?;
        write::rows("sqlite", &file("rows.db"), size, &mut report).await?;
        let urls = (file("cost.db"), server.database("cost").await?);
        tokio::task::block_in_place(|| cost::requests(&urls.0, &urls.1, size, &mut report))
    };
    let measured = measured.await;
    server.drop_all().await?;
    measured?;
    report.finish()
}
