//! Instructions of a request, by callgrind: what a busy machine does to times, it does not do to these.
//!
//! A server runs under valgrind until some requests were answered, and again until more were; the difference by the difference is what one takes, without what starting and
//! stopping take. Instructions of the kernel are not among them.

use std::{fs, path::PathBuf, process::Command};

use super::{
    bed::{address, prepare},
    cli,
    data::Data,
    probe::Prober,
    progress::Progress,
    scenario::{self, Scenario},
    table::{Table, thousands},
    target::{Environment, Server, Target},
};
use crate::Result;

/// What is counted where nothing is said.
const SCENARIOS: [&str; 2] = ["action-get", "action-post"];

/// One server.
struct Counted {
    name: &'static str,
    target: Target,
    settings: &'static [&'static str],
}

/// The servers, the twin last.
const SERVERS: [Counted; 3] = [
    Counted { name: "bunbase", target: Target::Bunbase, settings: &[] },
    Counted {
        name: "bunbase, without records of runs",
        target: Target::Bunbase,
        settings: &["persistence.enabled=false"],
    },
    Counted { name: "twin", target: Target::Twin, settings: &[] },
];

/// Nobody works in the background, which would be counted too, and nobody complains that valgrind is slow.
const QUIET: [&str; 3] = ["app.roles=http", "session.revocation=off", "database.slow_query=0"];

/// Counts and prints a table.
pub(crate) fn main(options: &cli::Counts) -> Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("`valgrind` is not there. Install it by `apt-get install valgrind`.".into());
    }
    let names =
        if options.scenarios.is_empty() { SCENARIOS.map(str::to_owned).to_vec() } else { options.scenarios.clone() };
    let scenarios = scenario::chosen(&names)?;
    let mut progress = Progress::new();
    let mut table = Table::new(["Scenario", "Server", "instructions a request", "÷ twin"]);
    for scenario in &scenarios {
        let mut counts = Vec::new();
        for server in &SERVERS {
            if server.target == Target::Twin && scenario.twin == scenario::Twin::None {
                continue;
            }
            progress.step(&format!("{} on {}, under valgrind", scenario.name, server.name));
            counts.push((server.name, instructions(options, scenario, server)?));
        }
        let twin = counts.iter().find(|(name, _)| *name == "twin").map(|(_, count)| *count);
        for (name, count) in counts {
            let ratio = twin.filter(|twin| *twin > 0.0).map(|twin| format!("{:.3}", count / twin));
            table.row([scenario.name.to_owned(), name.to_owned(), thousands(count), ratio.unwrap_or_default()]);
        }
    }
    progress.say(table.boxed().trim_end());
    Ok(())
}

/// Returns how many instructions a request takes.
#[expect(clippy::cast_precision_loss, reason = "a mean needs no more digits")]
fn instructions(options: &cli::Counts, scenario: &Scenario, server: &Counted) -> Result<f64> {
    let few = collected(options, scenario, server, options.before)?;
    let many = collected(options, scenario, server, options.before + options.requests)?;
    Ok(many.saturating_sub(few) as f64 / options.requests as f64)
}

/// Returns how many instructions a server takes that answers so many requests.
fn collected(options: &cli::Counts, scenario: &Scenario, server: &Counted, requests: u64) -> Result<u64> {
    let folder = tempfile::Builder::new().prefix("bunbase-counts-").tempdir()?;
    let documents = folder.path().join("documents");
    fs::create_dir(&documents)?;
    let mut data = Data::make(&address(&options.database), folder.path())?;
    if scenario.reads_rows {
        data.fill(options.rows)?;
    }
    let settings = QUIET.iter().chain(server.settings).map(|setting| (*setting).to_owned());
    let environment = Environment {
        workers: 1,
        database: Some(data.url.clone()),
        documents,
        folder: folder.path().to_owned(),
        settings: settings.chain(options.settings.iter().cloned()).collect(),
        ..Environment::default()
    };
    let counted = under_valgrind(scenario, server, &environment, requests);
    data.remove()?;
    counted
}

fn under_valgrind(scenario: &Scenario, server: &Counted, environment: &Environment, requests: u64) -> Result<u64> {
    let log: PathBuf = environment.folder.join("callgrind.log");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(format!("--log-file={}", log.display()));
    command.arg(std::env::current_exe()?);
    server.target.describe(&mut command, environment);
    let running = Server::start(command, server.name, &environment.folder)?;
    let prober = Prober::new();
    let request = prepare(&prober, &running.base, server.target.is_application(), scenario)?;
    prober.check(&running.base, scenario, &request)?;
    for _ in 1..requests {
        let answer = prober.ask(&running.base, &request)?;
        if answer.status != 200 {
            return Err(format!("an answer has status {}", answer.status).into());
        }
    }
    running.stop()?;
    let text = fs::read_to_string(&log)?;
    total(&text).ok_or_else(|| format!("callgrind does not say what it collected:\n{text}").into())
}

/// Returns the number after `Collected :`.
fn total(log: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_found_in_the_log() {
        let log = "==7== Callgrind, a call-graph generating cache profiler\n==7== Events    : Ir\n==7== Collected : 104857600\n==7==\n";
        assert_eq!(total(log), Some(104_857_600));
        assert_eq!(total("==7== Command: x\n"), None);
    }
}
