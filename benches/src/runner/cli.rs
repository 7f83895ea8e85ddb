//! The options of `run` and `compare`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::tool::Kind;

/// What the words after the program's name mean, where they are not those of an older benchmark.
#[derive(Debug, Parser)]
#[command(name = "bunbase-benches", about = "Measures bunbase, and compares what was measured.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures scenarios and writes a file of results.
    Run(Box<Run>),
    /// Compares two files of results; ends with 1 where the first is worse.
    Compare(Compare),
    /// Counts the instructions of a request, by valgrind.
    Counts(Counts),
}

/// What is measured, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    /// What is measured; may be repeated. All of them unless said.
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// How long a run lasts, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) duration: u64,
    /// How many connections there are at a time.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) connections: u64,
    /// How many requests a connection sends at a time. Above 1 it takes `--tool wrk`.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) pipelining: u64,
    /// Whether each server is warmed up before it is measured.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) warmup: bool,
    /// How long that lasts, in seconds.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub(crate) warmup_duration: u64,
    /// How often each scenario is run; with `--paired`, how many rounds there are.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) runs: u64,
    /// Sends so many requests a second, instead of as many as possible. Latencies are then corrected for coordinated omission.
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<u64>,
    /// Measures a server that runs elsewhere, with the same endpoints: `http://HOST:PORT`.
    #[arg(long, conflicts_with_all = ["twin", "paired", "against", "database", "redis", "memory", "peer", "peers"])]
    pub(crate) url: Option<String>,
    /// `sqlite`, `postgres` (at `BUNBASE_TEST_POSTGRES_URL`, or on this machine), or a Postgres URL. A database of its own is made there, and removed.
    #[arg(long, default_value = "sqlite")]
    pub(crate) database: String,
    /// How many rows the table has that `db-read`, `db-write` and `mixed` use.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    /// A server of Redis for what is kept and counted, `redis://127.0.0.1:6379`. Its keys have a prefix of their own, and are removed.
    #[arg(long, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// How many threads of a server answer requests.
    #[arg(long, default_value_t = 1)]
    pub(crate) workers: usize,
    /// Measures the twin on actix-web alone too, where a scenario has one.
    #[arg(long)]
    pub(crate) twin: bool,
    /// Runs two servers in turn, round by round, and reports ratios: the application, and the twin or what `--against` names.
    #[arg(long)]
    pub(crate) paired: bool,
    /// With `--paired`: another build of this program, whose application is B.
    #[arg(long, value_name = "PATH", requires = "paired")]
    pub(crate) against: Option<PathBuf>,
    /// Measures all peers of `benches/peers` that are installed too.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Measures another server with the same endpoints too, as far as it has them; with `--paired`, each in turn with the application. May be repeated. One of
    /// `benches/peers` is named; the command of any other is split at spaces; it is told `PORT`, `WORKERS` and `DATABASE_URL`, and writes its address.
    #[arg(long, value_name = "NAME[=COMMAND]")]
    pub(crate) peer: Vec<String>,
    /// What sends the requests.
    #[arg(long, value_enum)]
    pub(crate) tool: Option<Kind>,
    /// Measures memory: idle, with 100 and 500 connections, for connections to Postgres and to Redis. Done by itself where no scenario is named.
    #[arg(long)]
    pub(crate) memory: bool,
    /// Waits at most so long until the machine is quiet enough, in seconds.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Says which scenarios there are, and ends.
    #[arg(long)]
    pub(crate) list: bool,
    /// Sets a configuration key of the application; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Where results go; `benches/results` unless said.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) results: Option<PathBuf>,
    /// Keeps the results as what later ones are compared with on machines like this one: `baseline-CLASS.json`.
    #[arg(long)]
    pub(crate) save_baseline: bool,
}

/// What is compared.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compare {
    /// What was measured; `results-latest.json` unless said.
    pub(crate) results: Option<PathBuf>,
    /// What it is compared with; the baseline of the machine's class unless said.
    pub(crate) baseline: Option<PathBuf>,
    /// Writes the comparison as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes it as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Where files are looked for that are not where they are named; `benches/results` unless said.
    #[arg(long = "results", value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

/// What is counted.
#[derive(Args, Clone, Debug)]
pub(crate) struct Counts {
    /// What is sent; may be repeated. `action-get` and `action-post` unless said.
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// How many requests are sent before those that count.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) before: u64,
    /// How many requests count.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) requests: u64,
    /// As in `run`.
    #[arg(long, default_value = "sqlite")]
    pub(crate) database: String,
    /// As in `run`.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) rows: u64,
    /// As in `run`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

impl Run {
    /// Says what the program that sends the requests cannot do.
    ///
    /// # Errors
    /// It cannot do all that is asked for.
    pub(crate) fn check(&self) -> crate::Result<()> {
        match (self.tool(), self.rate, self.pipelining) {
            (Kind::Wrk, Some(_), _) => {
                Err("wrk has no fixed rate: leave out --rate, or take --tool oha without --pipelining".into())
            }
            (Kind::Oha, _, 2..) => Err("oha does not pipeline: leave out --pipelining, or take --tool wrk".into()),
            _ => Ok(()),
        }
    }

    /// Returns the program that sends the requests.
    pub(crate) fn tool(&self) -> Kind {
        self.tool.unwrap_or(if self.pipelining > 1 { Kind::Wrk } else { Kind::Oha })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<Run, clap::Error> {
        match Cli::try_parse_from(["bunbase-benches", "run"].iter().chain(words))?.command {
            Command::Run(run) => Ok(*run),
            other => unreachable!("`run` was said: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_guide() {
        let run = run(&[]).unwrap();
        assert_eq!((run.duration, run.connections, run.pipelining, run.runs), (30, 100, 1, 3));
        assert!(run.warmup);
        assert_eq!((run.warmup_duration, run.tool()), (5, Kind::Oha));
    }

    #[test]
    fn pipelining_takes_the_tool_that_can() {
        assert_eq!(run(&["--pipelining", "16"]).unwrap().tool(), Kind::Wrk);
    }

    #[test]
    fn what_a_tool_cannot_do_is_said_before_anything_runs() {
        assert!(run(&["--rate", "100"]).unwrap().check().is_ok());
        assert!(run(&["--pipelining", "4"]).unwrap().check().is_ok());
        assert!(run(&["--pipelining", "4", "--rate", "100"]).unwrap().check().is_err());
        assert!(run(&["--pipelining", "4", "--tool", "oha"]).unwrap().check().is_err());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(run(&["--against", "x"]).is_err());
        assert!(run(&["--url", "http://127.0.0.1:1", "--twin"]).is_err());
        assert!(run(&["--warmup", "perhaps"]).is_err());
        assert!(run(&["--runs", "0"]).is_err());
        assert!(!run(&["--warmup", "false"]).unwrap().warmup);
    }
}
