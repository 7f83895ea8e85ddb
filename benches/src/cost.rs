//! What requests cost a server, in time of the processor: on a machine that does other things as well it says more than how many requests
//! there were in a second.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;

use crate::{
    Result, load,
    report::median,
    runner::{Environment, Request, Server, Target, processor_time},
};

/// A server of the application with one worker and no log, and what it is asked again and again.
pub(crate) struct Asked {
    server: Server,
    request: Request,
    _folder: TempDir,
}

impl Asked {
    /// Starts it on a database, one in memory where none is named. `settings` are configuration keys, `log.level=info`.
    pub(crate) fn start(database: Option<&str>, settings: &[&str], request: Request) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bunbase-cost-").tempdir()?;
        let environment = Environment {
            workers: 1,
            database: database.map(str::to_owned),
            // Of the twin, which is not asked.
            documents: PathBuf::new(),
            folder: folder.path().to_owned(),
            settings: ["log.level=off"].iter().chain(settings).map(|setting| (*setting).to_owned()).collect(),
            ..Environment::default()
        };
        let server = Target::Bunbase.start(&environment)?;
        Ok(Self { server, request, _folder: folder })
    }

    /// Returns where it listens, `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.server.base.trim_start_matches("http://")
    }

    /// Sends so many requests, and returns how long that took.
    pub(crate) fn time(&self, requests: usize) -> Result<Duration> {
        Ok(load::run(self.address(), requests, &self.request)?)
    }

    /// Returns what so many requests cost the server, in seconds.
    fn cost(&self, requests: usize) -> Result<f64> {
        let now = || processor_time(self.server.id());
        let before = now();
        let took = self.time(requests)?;
        let cost = match (before, now()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            // Where the system does not say, it is all that there is.
            _ => took,
        };
        Ok(cost.as_secs_f64())
    }
}

/// Loads two servers in turn, each first in every other round, and returns by how many per cent more a request costs the second.
pub(crate) fn more(less: &Asked, more: &Asked, rounds: usize, requests: usize) -> Result<f64> {
    for server in [less, more] {
        server.cost(requests)?;
    }
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let (of_less, of_more) = if round % 2 == 0 {
            (less.cost(requests)?, more.cost(requests)?)
        } else {
            let of_more = more.cost(requests)?;
            (less.cost(requests)?, of_more)
        };
        ratios.push(of_more / of_less);
    }
    Ok((median(ratios) - 1.0) * 100.0)
}
