//! How fast is the queue, and how fast beside graphile-worker?
//!
//! `cargo run --release -p bunbase-benches -- queue [--postgres URL] [--quick]` makes databases of its own on that server (by default
//! that of `BUNBASE_TEST_POSTGRES_URL`) and a SQLite file, and drops them at the end. What is compared runs in turn, chunk by chunk or
//! round by round, so that both meet the same noise; a number is the median of its rounds. First the table, as it comes, and then the same as lines of
//! JSON. graphile-worker takes part where `node` is there and `npm install` was run in `benches/peers/graphile-worker`.

pub(crate) mod bed;
mod drain;
mod latency;
mod peer;
mod store;

use std::env;

use self::{
    bed::{Bed, Server},
    peer::Peer,
};
use crate::{Result, report::Report};

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    rounds: usize,
    /// Single statements of each kind.
    singles: usize,
    /// Jobs stored in bulk, and with what batch.
    bulk: (usize, usize),
    /// Jobs worked off with batching, and one by one.
    drained: usize,
    drained_singly: usize,
    /// The two backlogs, and how many jobs of each are run a round.
    backlogs: [usize; 2],
    of_backlog: usize,
    /// Jobs that an idle worker picks up.
    picked_up: usize,
}

const FULL: Size = Size {
    rounds: 3,
    singles: 20_000,
    bulk: (100_000, 1000),
    drained: 100_000,
    drained_singly: 10_000,
    backlogs: [100_000, 1_000_000],
    of_backlog: 50_000,
    picked_up: 500,
};

const QUICK: Size = Size {
    rounds: 3,
    singles: 4000,
    bulk: (20_000, 1000),
    drained: 40_000,
    drained_singly: 4000,
    backlogs: [20_000, 100_000],
    of_backlog: 15_000,
    picked_up: 200,
};

/// Runs the benchmark with what the command line says after `queue`.
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
                let text = format!("`{option}` is not known; write: queue [--postgres URL] [--quick]");
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&url, size)).map_err(std::io::Error::other)
}

async fn measure(url: &str, size: Size) -> Result<()> {
    let mut report = Report::new("queue");
    let server = Server::new(url).await?;
    let on_postgres = postgres(&server, size, &mut report).await;
    server.drop_all().await?;
    on_postgres?;
    let folder = tempfile::tempdir()?;
    let beds = [("small", size.backlogs[0]), ("large", size.backlogs[1])]
        .map(|(name, jobs)| (folder.path().join(name).with_extension("db"), jobs));
    let [small, large] = beds.map(|(path, _)| format!("sqlite://{}", path.display()));
    let (small, large) = (Bed::open("sqlite", &small).await?, Bed::open("sqlite", &large).await?);
    alone(&small, &large, None, size, &mut report).await?;
    report.finish()
}

async fn postgres(server: &Server, size: Size, report: &mut Report) -> Result<()> {
    let small = Bed::open("postgres", &server.database("small").await?).await?;
    let large = Bed::open("postgres", &server.database("large").await?).await?;
    let peer = Peer::find(server.database("graphile").await?);
    if peer.is_none() {
        report.note("graphile-worker takes no part: `node`, or its `node_modules`, is missing")?;
    }
    alone(&small, &large, peer.as_ref(), size, report).await
}

/// All measurements on one database, with the peer in turn where there is one.
async fn alone(small: &Bed, large: &Bed, peer: Option<&Peer>, size: Size, report: &mut Report) -> Result<()> {
    store::singles(small, size, report).await?;
    store::bulk(small, size, report).await?;
    latency::idle(small, peer, size, report).await?;
    drain::jobs(small, peer, size, report).await?;
    drain::backlogs(small, large, size, report).await?;
    small.close().await;
    large.close().await;
    Ok(())
}
