//! When numbers are not to be trusted.

use super::{
    result::{Conditions, Machine, Measured, Run, Setup},
    statistics,
};

/// What others may use of all cores while something is measured.
const MOST_FOREIGN_CPU: f64 = 0.1;

/// How long a byte may take there and back on one machine, and to another one, in milliseconds.
const LONGEST_ROUND_TRIP_MS: (f64, f64) = (0.2, 1.0);

/// How many requests a run needs at least for a 99th percentile that means something.
const FEWEST_REQUESTS: u64 = 1000;

/// How far apart the runs may be, as a share of their median.
const MOST_SPREAD: f64 = 0.2;

/// What share of a fixed rate has to be reached.
const LEAST_OF_RATE: f64 = 0.95;

/// Returns the load average that is quiet enough.
#[expect(clippy::cast_precision_loss, reason = "there are not that many cores")]
pub(crate) fn most_load(cores: usize) -> f64 {
    cores as f64 * 0.5
}

/// Says what is wrong with the machine, for all scenarios.
pub(crate) fn of_machine(machine: &Machine, conditions: &Conditions, is_elsewhere: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    let most = most_load(machine.cores);
    if let Some(load) = conditions.load_average_before.filter(|load| *load > most) {
        reasons
            .push(format!("the load average was {load:.2} before anything ran, and at most {most:.1} is quiet enough"));
    }
    let longest = if is_elsewhere { LONGEST_ROUND_TRIP_MS.1 } else { LONGEST_ROUND_TRIP_MS.0 };
    if let Some(time) = conditions.round_trip_ms.filter(|time| *time > longest) {
        reasons.push(format!("a round trip takes {time:.2} ms, and more than {longest} ms is measured as well"));
    }
    reasons
}

/// Says what is wrong with the runs of a scenario that count. `ceiling` is what the load tool reaches at best, in requests a second.
pub(crate) fn of_scenario(measured: &Measured, setup: &Setup, ceiling: Option<f64>) -> Vec<String> {
    let runs: Vec<&Run> = measured.runs.iter().filter(|run| !run.is_outlier).collect();
    let mut reasons = Vec::new();
    let foreign = runs.iter().filter_map(|run| run.usage.foreign_cpu).fold(0.0, f64::max);
    if foreign > MOST_FOREIGN_CPU {
        reasons.push(format!("others used {:.0} % of all cores", foreign * 100.0));
    }
    if let Some(fewest) = runs.iter().map(|run| run.load.requests).min().filter(|count| *count < FEWEST_REQUESTS) {
        reasons.push(format!("a run has {fewest} requests, and {FEWEST_REQUESTS} are needed for percentiles"));
    }
    let rates: Vec<f64> = runs.iter().map(|run| run.load.throughput()).collect();
    if let Some(spread) = statistics::spread(&rates).filter(|spread| *spread > MOST_SPREAD) {
        reasons.push(format!("the runs are {:.0} % apart", spread * 100.0));
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let wanted = setup.rate.map(|rate| rate as f64);
    if let Some(rate) = wanted.filter(|rate| measured.throughput < LEAST_OF_RATE * rate) {
        reasons.push(format!("of {rate:.0} requests a second {:.0} were answered", measured.throughput));
    }
    // As fast as the tool can be, by a server that had time left.
    #[expect(clippy::cast_precision_loss, reason = "there are not that many workers")]
    let is_idle = measured.server_cores.is_some_and(|cores| cores < 0.85 * setup.workers as f64);
    // Where others took the time, neither of the two had it.
    let is_alone = foreign <= MOST_FOREIGN_CPU;
    if let Some(ceiling) = ceiling.filter(|ceiling| measured.throughput > 0.9 * ceiling && is_idle && is_alone) {
        reasons.push(format!(
            "the load tool is what was measured: it reaches {ceiling:.0} requests a second, and the server used {:.0} % of {} cores",
            measured.server_cores.unwrap_or_default() * 100.0,
            setup.workers
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::result::{Load, Usage};

    fn run(requests: u64, foreign: f64) -> Run {
        Run {
            load: Load { duration_s: 1.0, requests, ..Load::default() },
            usage: Usage { foreign_cpu: Some(foreign), ..Usage::default() },
            is_outlier: false,
        }
    }

    fn measured(runs: Vec<Run>) -> Measured {
        Measured { throughput: 10_000.0, server_cores: Some(1.0), runs, ..Measured::default() }
    }

    fn setup() -> Setup {
        Setup { workers: 1, ..Setup::default() }
    }

    #[test]
    fn steady_runs_of_a_busy_server_are_sound() {
        let measured = measured(vec![run(10_000, 0.01), run(10_100, 0.02), run(9_900, 0.0)]);
        assert!(of_scenario(&measured, &setup(), Some(10_500.0)).is_empty());
    }

    #[test]
    fn each_reason_is_told() {
        let all = measured(vec![run(900, 0.2), run(2000, 0.0)]);
        let reasons = of_scenario(&all, &setup(), None).join("; ");
        for part in ["others used 20 %", "900 requests", "% apart"] {
            assert!(reasons.contains(part), "{part}: {reasons}");
        }
    }

    #[test]
    fn an_outlier_makes_nothing_unsound() {
        let mut far = run(10, 0.9);
        far.is_outlier = true;
        assert!(of_scenario(&measured(vec![run(10_000, 0.0), far]), &setup(), None).is_empty());
    }

    #[test]
    fn a_server_with_time_left_is_not_what_was_measured() {
        let mut idle = measured(vec![run(10_000, 0.0)]);
        idle.server_cores = Some(0.5);
        assert!(of_scenario(&idle, &setup(), Some(20_000.0)).is_empty(), "far from what the tool can do");
        let reasons = of_scenario(&idle, &setup(), Some(10_500.0)).join("; ");
        assert!(reasons.contains("the load tool"), "{reasons}");
    }

    #[test]
    fn a_rate_that_is_not_reached_is_told() {
        let setup = Setup { rate: Some(20_000), ..setup() };
        let reasons = of_scenario(&measured(vec![run(10_000, 0.0)]), &setup, None).join("; ");
        assert!(reasons.contains("of 20000 requests"), "{reasons}");
    }

    #[test]
    fn a_busy_machine_is_unsound() {
        let machine = Machine { cores: 2, ..Machine::default() };
        let conditions = |load, trip| Conditions {
            load_average_before: Some(load),
            round_trip_ms: Some(trip),
            ..Conditions::default()
        };
        assert!(of_machine(&machine, &conditions(0.9, 0.05), false).is_empty());
        assert_eq!(of_machine(&machine, &conditions(1.5, 0.5), false).len(), 2);
        assert!(of_machine(&machine, &conditions(0.0, 0.5), true).is_empty(), "another machine is further away");
    }
}
