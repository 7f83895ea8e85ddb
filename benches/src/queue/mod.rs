//! How fast is the queue, and how fast beside graphile-worker?
//!
//! `cargo run --release -p bunbase-benches -- queue` makes databases of its own on a server (by default that of
//! `BUNBASE_TEST_POSTGRES_URL`) and a SQLite file, and drops them at the end. What is compared runs in turn, chunk by chunk or round by
//! round, so that both meet the same noise; a number is the median of its rounds, and a ratio that of the ratios of its rounds. First the
//! table, as it comes, and then the same as lines of JSON. graphile-worker takes part where `node` is there and `npm install` was run in
//! `benches/peers/graphile-worker`.
//!
//! `--postgres URL` names another server, `--sqlite FOLDER` another place for the file. `--quick` does less; `--rounds N` does more or
//! less often; `--batch N` takes and ends so many jobs with one statement. `--only PART`, which may be repeated, leaves the rest
//! out: `postgres` or `sqlite`, and of each `singles`, `bulk`, `latency`, `jobs` or `backlogs`.

pub(crate) mod bed;
mod cpu;
mod drain;
mod latency;
mod peer;
mod store;

use std::env;

use bunbase::queue::WorkerSettings;

use self::{
    bed::{Bed, Server},
    peer::Peer,
};
use crate::{Result, report::Report};

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    rounds: usize,
    /// Jobs that a worker takes, and ends, with one statement; `None` is the default of workers.
    batch: Option<usize>,
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
    batch: None,
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
    batch: None,
    singles: 4000,
    bulk: (20_000, 1000),
    drained: 40_000,
    drained_singly: 4000,
    backlogs: [20_000, 100_000],
    of_backlog: 15_000,
    picked_up: 200,
};

/// What the command line says.
struct Options {
    url: String,
    folder: Option<String>,
    size: Size,
    only: Vec<String>,
}

/// The engines, and what is measured on each.
const PARTS: [&str; 7] = ["postgres", "sqlite", "singles", "bulk", "latency", "jobs", "backlogs"];

impl Size {
    /// Returns how many jobs a worker takes with one statement.
    fn batch(&self) -> usize {
        self.batch.unwrap_or(WorkerSettings::default().batch)
    }
}

impl Options {
    fn read(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            url: env::var("BUNBASE_TEST_POSTGRES_URL")
                .unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned()),
            folder: None,
            size: FULL,
            only: Vec::new(),
        };
        let (mut words, mut rounds, mut batch) = (words.iter(), None, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().copied().ok_or_else(|| format!("`{word}` needs a value"));
            match *word {
                "--quick" => options.size = QUICK,
                "--postgres" => value()?.clone_into(&mut options.url),
                "--sqlite" => options.folder = Some(value()?.to_owned()),
                "--rounds" => rounds = Some(value()?.parse::<usize>()?.max(1)),
                "--batch" => batch = Some(value()?.parse::<usize>()?.max(2)),
                "--only" => {
                    let part = value()?;
                    if !PARTS.contains(&part) {
                        return Err(format!("no part is named `{part}`; there are {}", PARTS.join(", ")).into());
                    }
                    options.only.push(part.to_owned());
                }
                _ => return Err(format!("`{word}` is not known; see benches/README.md").into()),
            }
        }
        options.size.batch = batch;
        options.size.rounds = rounds.unwrap_or(options.size.rounds);
        Ok(options)
    }

    /// Returns whether a part is to be run: it was named, or none of its kind was.
    fn has(&self, part: &str) -> bool {
        let is_engine = |part: &str| PARTS[..2].contains(&part);
        let mut alike = self.only.iter().filter(|named| is_engine(named) == is_engine(part)).peekable();
        alike.peek().is_none() || alike.any(|named| named == part)
    }
}

/// Runs the benchmark with what the command line says after `queue`.
pub(crate) fn main(words: &[&str]) -> std::io::Result<()> {
    let options = Options::read(words)
        .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&options)).map_err(std::io::Error::other)
}

async fn measure(options: &Options) -> Result<()> {
    let mut report = Report::new("queue");
    if options.has("postgres") {
        let server = Server::new(&options.url).await?;
        let on_postgres = postgres(&server, options, &mut report).await;
        server.drop_all().await?;
        on_postgres?;
    }
    if options.has("sqlite") {
        let folder = match &options.folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let [small, large] = ["small", "large"]
            .map(|name| format!("sqlite://{}", folder.path().join(name).with_extension("db").display()));
        let (small, large) = (Bed::open("sqlite", &small).await?, Bed::open("sqlite", &large).await?);
        alone(&small, &large, None, options, &mut report).await?;
    }
    report.finish()
}

async fn postgres(server: &Server, options: &Options, report: &mut Report) -> Result<()> {
    let small = Bed::open("postgres", &server.database("small").await?).await?;
    let large = Bed::open("postgres", &server.database("large").await?).await?;
    let peer = Peer::find(server.database("graphile").await?);
    if peer.is_none() {
        report.note("graphile-worker takes no part: `node`, or its `node_modules`, is missing")?;
    }
    alone(&small, &large, peer.as_ref(), options, report).await
}

/// All measurements on one database, with the peer in turn where there is one.
async fn alone(small: &Bed, large: &Bed, peer: Option<&Peer>, options: &Options, report: &mut Report) -> Result<()> {
    let size = options.size;
    if options.has("singles") {
        store::singles(small, size, report).await?;
    }
    if options.has("bulk") {
        store::bulk(small, size, report).await?;
    }
    if options.has("latency") {
        latency::idle(small, peer, size, report).await?;
    }
    if options.has("jobs") {
        drain::jobs(small, peer, size, report).await?;
    }
    if options.has("backlogs") {
        drain::backlogs(small, large, size, report).await?;
    }
    small.close().await;
    large.close().await;
    Ok(())
}
