//! One scenario: on one server, or on two in turn.

use std::time::Duration;

use super::{
    bed::{Bed, Subject},
    probe::{self, Answer},
    result::{Latency, Measured, Pair, Run, Setup},
    scenario::{Request, Scenario, Twin},
    soundness,
    statistics::{median, outliers, spread},
    table::{milliseconds, thousands},
    target::Target,
};
use crate::Result;

/// Measures a scenario on one server. What fails is told in the result.
pub(crate) fn alone(
    bed: &mut Bed,
    scenario: &Scenario,
    target: Option<&Target>,
    setup: &Setup,
    ceiling: Option<f64>,
) -> Measured {
    let (name, runs) = if let Some(target) = target {
        (target.name(), bed.start(target).and_then(|subject| runs(bed, scenario, subject)))
    } else {
        let base = bed.options.url.clone().unwrap_or_default().trim_end_matches('/').to_owned();
        let subject = Subject { name: base.clone(), base: base.clone(), is_application: true, server: None };
        (base, runs(bed, scenario, subject))
    };
    let runs = runs.and_then(|runs| bed.clean().map(|()| runs));
    let measured = match runs {
        Ok(runs) => summary(scenario, name, runs, setup, ceiling),
        Err(error) => failure(scenario, name, &error),
    };
    bed.progress.say(&line(&measured));
    measured
}

/// Returns a measurement that could not be made.
pub(crate) fn failure(scenario: &Scenario, server: String, error: &dyn std::fmt::Display) -> Measured {
    Measured { scenario: scenario.name.to_owned(), server, failed: Some(error.to_string()), ..Measured::default() }
}

/// Warms up, runs, and looks before and after whether the answers are right.
fn runs(bed: &mut Bed, scenario: &Scenario, mut subject: Subject) -> Result<Vec<Run>> {
    let request = ready(bed, scenario, &subject)?;
    warm_up(bed, scenario, &subject, &request)?;
    let (count, duration) = (bed.options.runs, Duration::from_secs(bed.options.duration));
    let mut runs = Vec::new();
    for round in 1..=count {
        let what = format!("{} on {}, run {round} of {count}", scenario.name, subject.name);
        let run = bed.fire(&what, &subject, &request, duration)?;
        subject.lives()?;
        bed.progress.say(&format!("  {what}: {}", told(&run)));
        runs.push(run);
    }
    bed.prober.check(&subject.base, scenario, &request)?;
    subject.stop()?;
    Ok(runs)
}

/// Returns whether a server has what the scenario asks for: not every peer has everything.
pub(crate) fn has(bed: &Bed, scenario: &Scenario, target: &Target) -> Result<bool> {
    if !matches!(target, Target::Peer { .. }) {
        return Ok(*target != Target::Twin || scenario.twin != Twin::None);
    }
    let subject = bed.start(target)?;
    let answer = bed.prober.ask(&subject.base, &scenario.request)?;
    subject.stop()?;
    Ok(answer.status != 404)
}

/// Returns what to send to a server that answers it rightly, and as the application does where it is its twin.
fn ready(bed: &Bed, scenario: &Scenario, subject: &Subject) -> Result<Request> {
    let request = bed.prepare(subject, scenario)?;
    let answer = bed.prober.check(&subject.base, scenario, &request)?;
    if subject.name == Target::Twin.name() {
        probe::is_same(scenario, &original(bed, scenario)?, &answer)?;
    }
    Ok(request)
}

/// Returns what the application answers.
fn original(bed: &Bed, scenario: &Scenario) -> Result<Answer> {
    if scenario.twin == Twin::Copy {
        let path = scenario.request.paths.first().copied().unwrap_or_default();
        return bed.documents.get(path).cloned().ok_or_else(|| format!("there is no copy of {path}").into());
    }
    let subject = bed.start(&Target::Bunbase)?;
    let answer = bed.prober.check(&subject.base, scenario, &scenario.request)?;
    subject.stop()?;
    Ok(answer)
}

fn warm_up(bed: &mut Bed, scenario: &Scenario, subject: &Subject, request: &Request) -> Result<()> {
    if bed.options.warmup && bed.options.warmup_duration > 0 {
        let what = format!("{} on {}, warming up", scenario.name, subject.name);
        bed.fire(&what, subject, request, Duration::from_secs(bed.options.warmup_duration))?;
    }
    Ok(())
}

/// Measures a scenario on two servers in turn.
pub(crate) fn paired(
    bed: &mut Bed,
    scenario: &Scenario,
    against: &Target,
    setup: &Setup,
    ceiling: Option<f64>,
) -> (Vec<Measured>, Option<Pair>) {
    let names = [Target::Bunbase.name(), against.name()];
    let rounds = rounds(bed, scenario, against).and_then(|rounds| bed.clean().map(|()| rounds));
    match rounds {
        Ok([a, b]) => {
            let pair = pair(scenario, &names, &a, &b);
            let [name_a, name_b] = names;
            let measured =
                vec![summary(scenario, name_a, a, setup, ceiling), summary(scenario, name_b, b, setup, ceiling)];
            for measured in &measured {
                bed.progress.say(&line(measured));
            }
            (measured, Some(pair))
        }
        Err(error) => {
            let measured = failure(scenario, names[0].clone(), &error);
            bed.progress.say(&line(&measured));
            (vec![measured], None)
        }
    }
}

/// Runs A and B in turn, B first in every other round: what changes slowly disturbs both alike.
fn rounds(bed: &mut Bed, scenario: &Scenario, against: &Target) -> Result<[Vec<Run>; 2]> {
    let mut subjects = [bed.start(&Target::Bunbase)?, bed.start(against)?];
    let requests = [ready(bed, scenario, &subjects[0])?, ready(bed, scenario, &subjects[1])?];
    for (subject, request) in subjects.iter().zip(&requests) {
        warm_up(bed, scenario, subject, request)?;
    }
    let (count, duration) = (bed.options.runs, Duration::from_secs(bed.options.duration));
    let mut runs = [Vec::new(), Vec::new()];
    for round in 1..=count {
        let order = if round % 2 == 1 { [0, 1] } else { [1, 0] };
        for which in order {
            let (subject, request) = (&subjects[which], &requests[which]);
            let others = subjects[1 - which].process().into_iter().collect();
            let what = format!("{} on {}, round {round} of {count}", scenario.name, subject.name);
            let run = bed.fire_beside(&what, subject, request, duration, others)?;
            bed.progress.say(&format!("  {what}: {}", told(&run)));
            runs[which].push(run);
        }
        subjects.iter_mut().try_for_each(Subject::lives)?;
    }
    for (subject, request) in subjects.iter().zip(&requests) {
        bed.prober.check(&subject.base, scenario, request)?;
    }
    subjects.into_iter().try_for_each(Subject::stop)?;
    Ok(runs)
}

/// Returns the medians of the rounds' ratios.
fn pair(scenario: &Scenario, [a, b]: &[String; 2], of_a: &[Run], of_b: &[Run]) -> Pair {
    let ratios = |value: &dyn Fn(&Run) -> Option<f64>| -> Vec<f64> {
        let ratio = |(a, b): (&Run, &Run)| Some(value(a)? / value(b).filter(|b| *b > 0.0)?);
        of_a.iter().zip(of_b).filter_map(ratio).collect()
    };
    let of_latency = |value: fn(&Latency) -> f64| {
        median(&ratios(&|run: &Run| Some(value(&run.load.latency_ms)))).unwrap_or_default()
    };
    let throughput_ratios = ratios(&|run: &Run| Some(run.load.throughput()));
    let per_cpu_ratios = ratios(&per_cpu_second);
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more digits")]
    let rss = ratios(&|run: &Run| run.usage.server_rss_bytes.map(|bytes| bytes as f64));
    Pair {
        scenario: scenario.name.to_owned(),
        a: a.clone(),
        b: b.clone(),
        throughput_ratio: median(&throughput_ratios).unwrap_or_default(),
        per_cpu_ratio: median(&per_cpu_ratios),
        p50_ratio: of_latency(|latency| latency.p50),
        p99_ratio: of_latency(|latency| latency.p99),
        p99_9_ratio: of_latency(|latency| latency.p99_9),
        rss_ratio: median(&rss),
        throughput_ratios,
        per_cpu_ratios,
    }
}

/// Returns the requests of a run per second of the server's processor time.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn per_cpu_second(run: &Run) -> Option<f64> {
    let seconds = run.usage.server_cpu_s.filter(|seconds| *seconds > 0.0)?;
    Some(run.load.requests as f64 / seconds)
}

/// Returns what the runs say together: medians of those that are no outliers.
#[expect(clippy::cast_precision_loss, reason = "shares and rates need no more digits")]
fn summary(scenario: &Scenario, server: String, mut runs: Vec<Run>, setup: &Setup, ceiling: Option<f64>) -> Measured {
    let rates: Vec<f64> = runs.iter().map(|run| run.load.throughput()).collect();
    for place in outliers(&rates) {
        runs[place].is_outlier = true;
    }
    let counted: Vec<&Run> = runs.iter().filter(|run| !run.is_outlier).collect();
    let of = |value: &dyn Fn(&Run) -> Option<f64>| -> Option<f64> {
        median(&counted.iter().filter_map(|run| value(run)).collect::<Vec<_>>())
    };
    let latency = |value: fn(&Latency) -> f64| of(&|run: &Run| Some(value(&run.load.latency_ms))).unwrap_or_default();
    let cores = |seconds: fn(&Run) -> Option<f64>| of(&|run: &Run| Some(seconds(run)? / run.load.duration_s));
    // Errors count wherever they were.
    let requests: u64 = runs.iter().map(|run| run.load.requests).sum();
    let non_2xx: u64 = runs.iter().map(|run| run.load.non_2xx).sum();
    let unanswered: u64 = runs.iter().map(|run| run.load.errors).sum();
    let all = requests + unanswered;
    let kinds: Vec<String> = runs
        .iter()
        .flat_map(|run| run.load.error_kinds.iter().chain(&run.load.statuses))
        .filter(|(kind, _)| !(kind.len() == 3 && kind.starts_with('2')))
        .map(|(kind, count)| format!("{kind} ({count})"))
        .collect();
    let mut measured = Measured {
        scenario: scenario.name.to_owned(),
        server,
        throughput: of(&|run: &Run| Some(run.load.throughput())).unwrap_or_default(),
        latency_ms: Latency {
            mean: latency(|latency| latency.mean),
            p50: latency(|latency| latency.p50),
            p75: latency(|latency| latency.p75),
            p90: latency(|latency| latency.p90),
            p95: latency(|latency| latency.p95),
            p99: latency(|latency| latency.p99),
            p99_9: latency(|latency| latency.p99_9),
            max: latency(|latency| latency.max),
        },
        requests,
        errors: non_2xx + unanswered,
        success_percent: if all == 0 { 0.0 } else { (requests - non_2xx.min(requests)) as f64 / all as f64 * 100.0 },
        requests_per_cpu_s: of(&per_cpu_second),
        server_cores: cores(|run| run.usage.server_cpu_s),
        database_cores: cores(|run| run.usage.database_cpu_s),
        server_rss_bytes: runs.iter().filter_map(|run| run.usage.server_rss_bytes).max(),
        database_memory_bytes: runs.iter().filter_map(|run| run.usage.database_memory_bytes).max(),
        spread: spread(&rates).unwrap_or_default(),
        unsound: Vec::new(),
        failed: None,
        runs,
    };
    measured.unsound = soundness::of_scenario(&measured, setup, ceiling);
    if measured.errors > 0 || requests == 0 {
        let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
        measured.failed = Some(format!("{} of {all} requests went wrong{kinds}", measured.errors));
    }
    measured
}

/// Says what came of a run.
fn told(run: &Run) -> String {
    let latency = run.load.latency_ms;
    format!(
        "{} req/s, p50 {}, p99 {}, {} errors",
        thousands(run.load.throughput()),
        milliseconds(latency.p50),
        milliseconds(latency.p99),
        run.load.errors + run.load.non_2xx
    )
}

/// Says what came of a scenario.
fn line(measured: &Measured) -> String {
    let name = format!("{} on {}", measured.scenario, measured.server);
    if let Some(why) = &measured.failed {
        return format!("{name} FAILED: {why}");
    }
    let per_cpu = measured.requests_per_cpu_s.map(|rate| format!(", {} per CPU second", thousands(rate)));
    let dropped = measured.runs.iter().filter(|run| run.is_outlier).count();
    let dropped = if dropped > 0 { format!(", {dropped} outliers dropped") } else { String::new() };
    let unsound =
        if measured.unsound.is_empty() { String::new() } else { format!("; unsound: {}", measured.unsound.join("; ")) };
    format!(
        "{name}: {} req/s, p99 {}{}{dropped}{unsound}",
        thousands(measured.throughput),
        milliseconds(measured.latency_ms.p99),
        per_cpu.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::{
        result::{Load, Usage},
        scenario,
    };

    fn run(requests: u64, p99: f64, cpu_s: f64) -> Run {
        Run {
            load: Load {
                duration_s: 10.0,
                requests,
                latency_ms: Latency { p99, ..Latency::default() },
                ..Load::default()
            },
            usage: Usage { server_cpu_s: Some(cpu_s), server_rss_bytes: Some(requests), ..Usage::default() },
            is_outlier: false,
        }
    }

    fn scenario() -> Scenario {
        scenario::chosen(&["action-get".to_owned()]).unwrap().remove(0)
    }

    fn of(runs: Vec<Run>) -> Measured {
        summary(&scenario(), "bunbase".to_owned(), runs, &Setup { workers: 1, ..Setup::default() }, None)
    }

    #[test]
    fn what_is_told_are_medians() {
        let measured = of(vec![run(10_000, 5.0, 5.0), run(30_000, 9.0, 6.0), run(20_000, 1.0, 10.0)]);
        assert!((measured.throughput - 2000.0).abs() < 1e-9);
        assert!((measured.latency_ms.p99 - 5.0).abs() < 1e-9);
        assert!((measured.requests_per_cpu_s.unwrap() - 2000.0).abs() < 1e-9);
        assert!((measured.success_percent - 100.0).abs() < 1e-9);
        assert_eq!((measured.requests, measured.failed.clone()), (60_000, None));
    }

    #[test]
    fn an_outlier_is_dropped_and_told() {
        let mut runs: Vec<Run> = (0..8).map(|n| run(10_000 + n, 5.0, 5.0)).collect();
        runs.push(run(100, 900.0, 5.0));
        let measured = of(runs);
        assert_eq!(measured.runs.iter().filter(|run| run.is_outlier).count(), 1);
        assert!(measured.latency_ms.p99 < 6.0 && line(&measured).contains("1 outliers dropped"));
    }

    #[test]
    fn any_error_fails_the_scenario() {
        let mut wrong = run(10_000, 5.0, 5.0);
        wrong.load.non_2xx = 7;
        wrong.load.statuses.insert("503".to_owned(), 7);
        wrong.load.statuses.insert("200".to_owned(), 9993);
        let measured = of(vec![wrong, run(10_000, 5.0, 5.0)]);
        assert_eq!(measured.errors, 7);
        let why = measured.failed.unwrap();
        assert!(why.contains("503 (7)") && !why.contains("200 ("), "{why}");
        assert!(measured.success_percent < 100.0);
        assert!(of(vec![Run::default()]).failed.is_some(), "no answer at all");
    }

    #[test]
    fn a_pair_has_the_median_of_the_ratios() {
        let a = [run(10_000, 10.0, 5.0), run(20_000, 10.0, 5.0), run(40_000, 10.0, 5.0)];
        let b = [run(10_000, 5.0, 10.0), run(10_000, 10.0, 10.0), run(10_000, 20.0, 10.0)];
        let pair = pair(&scenario(), &["bunbase".to_owned(), "twin".to_owned()], &a, &b);
        assert!((pair.throughput_ratio - 2.0).abs() < 1e-9);
        assert!((pair.per_cpu_ratio.unwrap() - 4.0).abs() < 1e-9);
        assert!((pair.p99_ratio - 1.0).abs() < 1e-9);
        assert_eq!(pair.throughput_ratios.len(), 3);
    }
}
