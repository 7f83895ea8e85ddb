//! What is shown at the end.

use std::{
    io::{Write, stdout},
    path::PathBuf,
};

use super::{
    bed::Bed,
    result::{Conditions, Measured, Results},
    scenario::{Scenario, Twin},
    table::{Table, megabytes, milliseconds, thousands},
};
use crate::Result;

/// By how much another load tool has to be faster to be recommended.
const MUCH_MORE: f64 = 1.5;

/// Says what the load tools can do.
pub(crate) fn ceilings(bed: &mut Bed, conditions: &Conditions) {
    let told: Vec<String> =
        conditions.ceilings.iter().map(|(tool, rate)| format!("{tool} {} req/s", thousands(*rate))).collect();
    bed.progress.say(&format!(
        "What the load tool reaches against ready bytes of actix-web: {}. A round trip takes {:.3} ms.",
        told.join(", "),
        conditions.round_trip_ms.unwrap_or_default()
    ));
    let own = conditions.ceilings.get(bed.tool.name()).copied().unwrap_or_default();
    for (tool, rate) in conditions.ceilings.iter().filter(|(_, rate)| **rate > MUCH_MORE * own) {
        let times = rate / own.max(1.0);
        bed.progress
            .say(&format!("{tool} reaches {times:.1} times as much: --tool {tool} for what is faster than that."));
    }
}

/// Prints all tables.
pub(crate) fn print(results: &Results) -> Result<()> {
    let mut out = stdout();
    let (machine, versions, setup) = (&results.machine, &results.versions, &results.setup);
    writeln!(
        out,
        "\n{}, {} cores, {}, {}",
        machine.cpu,
        machine.cores,
        megabytes(machine.memory_bytes),
        machine.kernel
    )?;
    let rate = setup.rate.map_or_else(|| "as fast as it goes".to_owned(), |rate| format!("{rate} req/s"));
    writeln!(
        out,
        "{}{}, {} by {}: {} runs of {} s, {} connections, pipelining {}, {} worker(s)",
        versions.database.as_deref().unwrap_or("elsewhere"),
        versions.redis.as_ref().map(|version| format!(" and Redis {version}")).unwrap_or_default(),
        rate,
        versions.load_tool,
        setup.runs,
        setup.duration_s,
        setup.connections,
        setup.pipelining,
        setup.workers
    )?;
    writeln!(out, "{}", overview(&results.scenarios).boxed())?;
    for table in [latencies(&results.scenarios), usage(&results.scenarios)].iter().filter(|table| !table.is_empty()) {
        writeln!(out, "{}", table.boxed())?;
    }
    let pairs = pairs(results);
    if !pairs.is_empty() {
        writeln!(out, "A ÷ B, medians of the rounds' ratios, and the lowest and highest of them\n{}", pairs.boxed())?;
    }
    let memory = memory(results);
    if !memory.is_empty() {
        writeln!(out, "{}", memory.boxed())?;
    }
    for reason in &results.unsound {
        writeln!(out, "unsound: {reason}")?;
    }
    for measured in &results.scenarios {
        let name = format!("{} on {}", measured.scenario, measured.server);
        if let Some(why) = &measured.failed {
            writeln!(out, "FAILED: {name}: {why}")?;
        }
        for reason in &measured.unsound {
            writeln!(out, "unsound: {name}: {reason}")?;
        }
    }
    Ok(())
}

/// Says which scenarios there are.
pub(crate) fn list(scenarios: &[Scenario]) -> Result<()> {
    let mut table = Table::new(["Scenario", "What is sent", "Twin"]);
    for scenario in scenarios {
        let twin = if scenario.twin == Twin::None { "" } else { "yes" };
        table.row([scenario.name.to_owned(), scenario.about.to_owned(), twin.to_owned()]);
    }
    Ok(write!(stdout(), "{}", table.boxed())?)
}

/// Says what was stored.
pub(crate) fn stored(paths: &[PathBuf]) -> Result<()> {
    paths.iter().try_for_each(|path| Ok(writeln!(stdout(), "written: {}", path.display())?))
}

/// Says what a baseline is worth.
pub(crate) fn baseline(results: &Results) -> Result<()> {
    let unsound = results.scenarios.iter().filter(|measured| !measured.unsound.is_empty()).count();
    let all = results.scenarios.len();
    let unsound = if results.unsound.is_empty() { unsound } else { all };
    if unsound > 0 {
        writeln!(
            stdout(),
            "{unsound} of {all} in the baseline are unsound: nothing is judged by them. Make it again on a quiet machine."
        )?;
    }
    Ok(())
}

/// The table of the guide.
fn overview(scenarios: &[Measured]) -> Table {
    let mut table = Table::new(["Scenario", "Server", "Throughput", "Latency", "Errors", "Success", ""]);
    for measured in scenarios {
        let note = match (&measured.failed, measured.unsound.is_empty()) {
            (Some(_), _) => "FAILED",
            (None, false) => "unsound",
            (None, true) => "",
        };
        table.row([
            measured.scenario.clone(),
            measured.server.clone(),
            format!("{} req/s", thousands(measured.throughput)),
            format!("{} p99", milliseconds(measured.latency_ms.p99)),
            measured.errors.to_string(),
            percent(measured.success_percent),
            note.to_owned(),
        ]);
    }
    table
}

/// Writes a share in percent. Only all of it is 100.
fn percent(share: f64) -> String {
    if share >= 100.0 { "100%".to_owned() } else { format!("{:.3}%", (share * 1000.0).floor() / 1000.0) }
}

fn latencies(scenarios: &[Measured]) -> Table {
    let mut table =
        Table::new(["Scenario", "Server", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "max", "runs apart"]);
    for measured in scenarios.iter().filter(|measured| measured.requests > 0) {
        let latency = measured.latency_ms;
        let times =
            [latency.mean, latency.p50, latency.p75, latency.p90, latency.p95, latency.p99, latency.p99_9, latency.max];
        let names = [measured.scenario.clone(), measured.server.clone()];
        let apart = format!("{:.1}%", measured.spread * 100.0);
        table.row(names.into_iter().chain(times.map(milliseconds)).chain([apart]));
    }
    table
}

fn usage(scenarios: &[Measured]) -> Table {
    let mut table = Table::new([
        "Scenario",
        "Server",
        "per CPU second",
        "server cores",
        "database cores",
        "memory",
        "database memory",
        "others' cores",
    ]);
    for measured in scenarios.iter().filter(|measured| measured.server_cores.is_some()) {
        let cores = |cores: Option<f64>| cores.map(|cores| format!("{cores:.2}")).unwrap_or_default();
        let foreign = measured.runs.iter().filter_map(|run| run.usage.foreign_cpu).fold(0.0, f64::max);
        table.row([
            measured.scenario.clone(),
            measured.server.clone(),
            measured.requests_per_cpu_s.map(|rate| format!("{} req", thousands(rate))).unwrap_or_default(),
            cores(measured.server_cores),
            cores(measured.database_cores),
            measured.server_rss_bytes.map(megabytes).unwrap_or_default(),
            measured.database_memory_bytes.map(megabytes).unwrap_or_default(),
            format!("{:.1}%", foreign * 100.0),
        ]);
    }
    table
}

fn pairs(results: &Results) -> Table {
    let mut table = Table::new(["Scenario", "A", "B", "throughput", "per CPU second", "p50", "p99", "p99.9", "memory"]);
    let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default();
    let all = |median: Option<f64>, ratios: &[f64]| {
        let least = ratios.iter().copied().fold(f64::MAX, f64::min);
        let most = ratios.iter().copied().fold(f64::MIN, f64::max);
        if ratios.is_empty() { String::new() } else { format!("{} ({least:.2} to {most:.2})", ratio(median)) }
    };
    for pair in &results.pairs {
        table.row([
            pair.scenario.clone(),
            pair.a.clone(),
            pair.b.clone(),
            all(Some(pair.throughput_ratio), &pair.throughput_ratios),
            all(pair.per_cpu_ratio, &pair.per_cpu_ratios),
            ratio(Some(pair.p50_ratio)),
            ratio(Some(pair.p99_ratio)),
            ratio(Some(pair.p99_9_ratio)),
            ratio(pair.rss_ratio),
        ]);
    }
    table
}

fn memory(results: &Results) -> Table {
    let mut table = Table::new([
        "Memory",
        "idle",
        "its own",
        "100 connections",
        "its own",
        "500 connections",
        "20 to Postgres",
        "there",
        "Redis pool",
    ]);
    let difference = |bytes: Option<i64>| {
        bytes
            .map(|bytes| format!("{}{}", if bytes < 0 { "-" } else { "+" }, megabytes(bytes.unsigned_abs())))
            .unwrap_or_default()
    };
    for memory in &results.memory {
        table.row([
            memory.server.clone(),
            megabytes(memory.idle),
            memory.idle_own.map(megabytes).unwrap_or_default(),
            megabytes(memory.at_100_connections),
            memory.at_100_connections_own.map(megabytes).unwrap_or_default(),
            megabytes(memory.at_500_connections),
            difference(memory.per_20_database_connections),
            difference(memory.per_20_database_connections_there),
            difference(memory.per_redis_pool),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_error_of_a_million_is_not_all() {
        assert_eq!(percent(100.0), "100%");
        assert_eq!(percent(99.9999), "99.999%");
    }

    #[test]
    fn the_first_table_is_that_of_the_guide() {
        let measured = Measured {
            scenario: "simple-get".to_owned(),
            server: "bunbase".to_owned(),
            throughput: 45_234.2,
            success_percent: 100.0,
            requests: 1,
            ..Measured::default()
        };
        let table = overview(std::slice::from_ref(&measured)).markdown();
        assert!(table.contains("| simple-get | bunbase | 45,234 req/s | 0.00ms p99 | 0 | 100% |  |"), "{table}");
        assert!(usage(&[measured]).is_empty(), "nothing is known of a server elsewhere");
    }
}
