//! Measures scenarios over HTTP, and compares what was measured: `run` and `compare`.
//!
//! A server runs in a process of its own, a load tool that exists already sends the requests, and what both and the database use is read from `/proc`. Here:
//! how it is measured and told. Not here: what is measured (`server`), and what it is measured against (`twin`).

mod bed;
mod cli;
mod compare;
mod counts;
mod data;
mod files;
mod machine;
mod measure;
mod memory;
mod probe;
mod process;
mod progress;
mod report;
mod result;
mod scenario;
mod soundness;
mod statistics;
mod table;
mod target;
mod tool;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

use self::{
    bed::Bed,
    progress::Progress,
    result::{Conditions, FORMAT, Results, Setup, Versions},
    scenario::Scenario,
    tool::{Kind, Tool},
};
pub(crate) use self::{
    process::processor_time,
    scenario::Request,
    target::{Environment, Server, Target},
};
use crate::Result;

/// How long the load tool is measured itself.
const CEILING: Duration = Duration::from_secs(4);

/// Does what the command line says. Returns whether all is well: nothing failed, and nothing is worse.
pub(crate) fn main(words: &[&str]) -> Result<bool> {
    let cli = cli::Cli::try_parse_from(["bunbase-benches"].iter().chain(words)).unwrap_or_else(|error| error.exit());
    match cli.command {
        cli::Command::Run(options) => run(*options),
        cli::Command::Compare(options) => Ok(!compare::main(&options)?),
        cli::Command::Counts(options) => counts::main(&options).map(|()| true),
    }
}

/// Returns what a scenario sends.
///
/// # Errors
/// There is none of that name.
pub(crate) fn request(scenario: &str) -> Result<Request> {
    Ok(scenario::chosen(&[scenario.to_owned()])?.remove(0).request)
}

fn run(options: cli::Run) -> Result<bool> {
    let started_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    options.check()?;
    let scenarios = scenario::chosen(&options.scenarios)?;
    if options.list {
        report::list(&scenarios)?;
        return Ok(true);
    }
    let folder = files::folder(options.results.as_deref());
    if let Some(url) = options.url.as_ref().filter(|url| !url.starts_with("http://")) {
        return Err(format!("`{url}` is not `http://HOST:PORT`: what encryption takes is not measured").into());
    }
    let (machine, setup) = (machine::machine(), setup(&options)?);
    // Before anything of this is part of it.
    let load_average_before = settle(Duration::from_secs(options.settle), soundness::most_load(machine.cores));
    let is_baseline = options.save_baseline;
    let mut bed = Bed::make(options, &scenarios)?;
    let measured = everything(&mut bed, &scenarios, &setup).and_then(|measured| {
        let versions = versions(&mut bed)?;
        Ok((measured, versions))
    });
    let is_interrupted = bed.is_interrupted();
    let removed = bed.remove();
    let (mut results, versions) = measured?;
    removed?;
    results.conditions.load_average_before = load_average_before;
    results.conditions.load_average_after = machine::load_average();
    results.unsound = soundness::of_machine(&machine, &results.conditions, setup.database == "elsewhere");
    let results = Results { format: FORMAT, started_at, machine, versions, setup, ..results };
    report::print(&results)?;
    if is_interrupted {
        return Err("interrupted: nothing is stored".into());
    }
    report::stored(&files::store(&results, &folder, is_baseline)?)?;
    if is_baseline {
        report::baseline(&results)?;
    }
    Ok(results.scenarios.iter().all(|measured| measured.failed.is_none()))
}

/// Waits until the machine is quiet, for so long at most. Returns the load average.
fn settle(patience: Duration, most: f64) -> Option<f64> {
    let (began, mut progress) = (Instant::now(), Progress::new());
    loop {
        let load = machine::load_average()?;
        if load <= most || began.elapsed() >= patience {
            progress.clear();
            return Some(load);
        }
        progress.update("waiting for a quiet machine", began.elapsed(), patience, &format!("load average {load:.2}"));
        thread::sleep(Duration::from_secs(1));
    }
}

/// Measures all scenarios, and what the load tool can do.
fn everything(bed: &mut Bed, scenarios: &[Scenario], setup: &Setup) -> Result<Results> {
    let mut results = Results { conditions: conditions(bed)?, ..Results::default() };
    let ceiling = results.conditions.ceilings.get(bed.tool.name()).copied();
    let mut others = bed.options.peer.iter().map(|peer| Target::peer(peer)).collect::<Result<Vec<_>>>()?;
    if bed.options.peers {
        others.extend(Target::peers(|text| bed.progress.say(text))?);
    }
    match &bed.options.against {
        Some(path) => others.insert(0, Target::Other(path.clone())),
        // In turn with peers alone, where some are named and the twin is not.
        None if bed.options.twin || (bed.options.paired && others.is_empty()) => others.insert(0, Target::Twin),
        None => {}
    }
    for scenario in scenarios {
        if bed.is_interrupted() {
            break;
        }
        if bed.options.url.is_some() {
            results.scenarios.push(measure::alone(bed, scenario, None, setup, ceiling));
            continue;
        }
        let mut beside = Vec::new();
        for other in &others {
            match measure::has(bed, scenario, other) {
                Ok(true) => beside.push(other),
                Ok(false) => {}
                // One that is not there is no reason to measure none of the others.
                Err(error) => results.scenarios.push(measure::failure(scenario, other.name(), &error)),
            }
        }
        if bed.options.paired && !beside.is_empty() {
            for other in beside {
                let (measured, pair) = measure::paired(bed, scenario, other, setup, ceiling);
                results.scenarios.extend(measured);
                results.pairs.extend(pair);
            }
            continue;
        }
        for target in [&Target::Bunbase].into_iter().chain(beside) {
            if !bed.is_interrupted() {
                results.scenarios.push(measure::alone(bed, scenario, Some(target), setup, ceiling));
            }
        }
    }
    let all = bed.options.scenarios.is_empty() && bed.options.url.is_none();
    if (bed.options.memory || all) && !bed.is_interrupted() {
        results.memory.push(memory::measure(bed, &Target::Bunbase)?);
        if bed.options.twin || bed.options.paired {
            results.memory.push(memory::measure(bed, &Target::Twin)?);
        }
    }
    Ok(results)
}

/// Measures the machine, and what the load tools can do on it.
fn conditions(bed: &mut Bed) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    if let Some(url) = &bed.options.url {
        conditions.round_trip_ms = Some(machine::connect_ms(&url::Url::parse(url)?)?);
        return Ok(conditions);
    }
    conditions.round_trip_ms = Some(machine::round_trip_ms()?);
    let twin = bed.start(&Target::Twin)?;
    let request = scenario::chosen(&["simple-get".to_owned()])?.remove(0).request;
    let others =
        [Kind::Oha, Kind::Wrk].into_iter().filter_map(Tool::find).filter(|tool| tool.name() != bed.tool.name());
    let duration = CEILING.min(Duration::from_secs(bed.options.duration));
    for tool in [bed.tool.clone()].into_iter().chain(others) {
        bed.progress.step(&format!("what {} can do", tool.name()));
        let mut shot = bed.shot(&twin.base, &request, duration)?;
        (shot.rate, shot.pipelining) = (None, if tool.name() == bed.tool.name() { shot.pipelining } else { 1 });
        conditions.ceilings.insert(tool.name().to_owned(), tool.run(&shot)?.throughput());
    }
    twin.stop()?;
    report::ceilings(bed, &conditions);
    Ok(conditions)
}

fn setup(options: &cli::Run) -> Result<Setup> {
    let database = match (&options.url, options.database.as_str()) {
        (Some(_), _) => "elsewhere",
        (None, "sqlite") => "sqlite",
        (None, postgres) if postgres.starts_with("postgres") => "postgres",
        (None, other) => {
            return Err(format!("`{other}` is no database; write `sqlite`, `postgres` or `postgres://…`").into());
        }
    };
    Ok(Setup {
        duration_s: options.duration,
        warmup_s: if options.warmup { options.warmup_duration } else { 0 },
        runs: usize::try_from(options.runs)?,
        connections: usize::try_from(options.connections)?,
        pipelining: usize::try_from(options.pipelining)?,
        rate: options.rate,
        workers: options.workers,
        database: database.to_owned(),
        rows: options.rows,
        uses_redis: options.redis.is_some(),
        settings: options.settings.clone(),
    })
}

fn versions(bed: &mut Bed) -> Result<Versions> {
    let git =
        |words: &[&str]| machine::first_line(Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(words));
    let git_commit = git(&["rev-parse", "HEAD"]);
    let git_is_dirty = git_commit.as_ref().map(|_| git(&["status", "--porcelain", "--untracked-files=no"]).is_some());
    Ok(Versions {
        bunbase: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit,
        git_is_dirty,
        rustc: machine::first_line(Command::new("rustc").arg("--version")),
        database: bed.data.as_ref().map(data::Data::version).transpose()?,
        redis: bed.redis.as_mut().map(data::Redis::version).transpose()?.flatten(),
        load_tool: bed.tool.version(),
    })
}
