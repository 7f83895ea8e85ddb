//! Two files of results, side by side.

use std::{fs, path::Path};

use serde::Serialize;

use super::{
    cli, files,
    result::{Measured, Results},
    table::{Table, milliseconds, thousands},
};
use crate::Result;

/// How much lower a throughput may be, as a share.
const LESS_THROUGHPUT: f64 = 0.05;

/// How much higher a 99th percentile may be, as a share.
const MORE_LATENCY: f64 = 0.10;

/// What is said of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Neither worse nor better by more than is allowed.
    Same,
    Better,
    /// A regression.
    Worse,
    /// One of the two is unsound.
    NotJudged,
    /// Only in the results.
    New,
    /// Only in the baseline.
    Missing,
}

/// One scenario on one server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Compared {
    pub(crate) scenario: String,
    pub(crate) server: String,
    pub(crate) verdict: Verdict,
    /// Why, where it is worse or not judged.
    pub(crate) reasons: Vec<String>,
    /// Now and in the baseline.
    pub(crate) throughput: [Option<f64>; 2],
    pub(crate) p99_ms: [Option<f64>; 2],
    pub(crate) errors: [Option<u64>; 2],
    /// How much more there is now, in percent.
    pub(crate) throughput_change_percent: Option<f64>,
    pub(crate) p99_change_percent: Option<f64>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// Whether something is worse.
    pub(crate) is_regression: bool,
    /// What makes the two less comparable.
    pub(crate) notes: Vec<String>,
    pub(crate) scenarios: Vec<Compared>,
}

/// Compares what the command line names. Returns whether something is worse.
pub(crate) fn main(options: &cli::Compare) -> Result<bool> {
    let folder = files::folder(options.folder.as_deref());
    let results = files::read(options.results.as_deref().unwrap_or(Path::new(files::LATEST)), &folder)?;
    let of_class = files::baseline(&results.machine.class);
    let baseline = match &options.baseline {
        Some(path) => files::read(path, &folder)?,
        None => files::read(Path::new(&of_class), &folder)
            .map_err(|error| format!("{error}. Make one by `run --save-baseline` on a machine of this class."))?,
    };
    let comparison = compare(&results, &baseline);
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, comparison.text().as_bytes())?;
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&comparison)? + "\n")?;
    }
    if let Some(path) = &options.markdown {
        fs::write(path, comparison.markdown())?;
    }
    Ok(comparison.is_regression)
}

/// Compares results with a baseline.
pub(crate) fn compare(results: &Results, baseline: &Results) -> Comparison {
    let find = |of: &Results, like: &Measured| -> Option<Measured> {
        let is_same = |other: &&Measured| other.scenario == like.scenario && other.server == like.server;
        of.scenarios.iter().find(is_same).cloned()
    };
    let mut scenarios: Vec<Compared> = results
        .scenarios
        .iter()
        .map(|now| {
            judge(Some((now, &results.unsound)), find(baseline, now).as_ref().map(|then| (then, &baseline.unsound)))
        })
        .collect();
    let missing = baseline.scenarios.iter().filter(|then| find(results, then).is_none());
    scenarios.extend(missing.map(|then| judge(None, Some((then, &baseline.unsound)))));
    let is_regression = scenarios.iter().any(|compared| compared.verdict == Verdict::Worse);
    Comparison { is_regression, notes: notes(results, baseline), scenarios }
}

/// Says what differs between the two besides what was measured.
fn notes(results: &Results, baseline: &Results) -> Vec<String> {
    let mut notes = Vec::new();
    let (now, then) = (&results.machine.class, &baseline.machine.class);
    if now != then {
        notes.push(format!("the machines differ: {now}, and {then} in the baseline"));
    }
    let mut setups = [results.setup.clone(), baseline.setup.clone()];
    if setups[0] != setups[1] {
        // The settings of both, as they are stored.
        let text = setups.each_mut().map(|setup| serde_json::to_string(setup).unwrap_or_default());
        notes.push(format!("the settings differ: {}, and {} in the baseline", text[0], text[1]));
    }
    if results.versions.load_tool != baseline.versions.load_tool {
        let (now, then) = (&results.versions.load_tool, &baseline.versions.load_tool);
        notes.push(format!("the load tools differ: {now}, and {then} in the baseline"));
    }
    notes
}

/// Compares one scenario, each with what is unsound about all of its file.
fn judge(now: Option<(&Measured, &Vec<String>)>, then: Option<(&Measured, &Vec<String>)>) -> Compared {
    let both = [now, then];
    let of = |f: fn(&Measured) -> f64| both.map(|one| one.map(|(measured, _)| f(measured)));
    let throughput = of(|measured| measured.throughput);
    let p99_ms = of(|measured| measured.latency_ms.p99);
    let errors = both.map(|one| one.map(|(measured, _)| measured.errors));
    let named = now.or(then).map(|(measured, _)| (measured.scenario.clone(), measured.server.clone()));
    let (scenario, server) = named.unwrap_or_default();
    let mut compared = Compared {
        scenario,
        server,
        verdict: Verdict::Same,
        reasons: Vec::new(),
        throughput,
        p99_ms,
        errors,
        throughput_change_percent: change(throughput),
        p99_change_percent: change(p99_ms),
    };
    let (Some((now, unsound_now)), Some((then, unsound_then))) = (now, then) else {
        compared.verdict = if now.is_some() { Verdict::New } else { Verdict::Missing };
        // A new one that fails is no news to be glad of.
        if let Some(why) = now.and_then(|(measured, _)| measured.failed.clone()) {
            (compared.verdict, compared.reasons) = (Verdict::Worse, vec![format!("it failed: {why}")]);
        }
        return compared;
    };
    // What was answered wrongly is wrong on any machine.
    if let Some(why) = &now.failed {
        compared.reasons.push(format!("it failed: {why}"));
    }
    if now.errors > then.errors {
        compared.reasons.push(format!("{} errors, and {} in the baseline", now.errors, then.errors));
    }
    if !compared.reasons.is_empty() {
        compared.verdict = Verdict::Worse;
        return compared;
    }
    let now_unsound = now.unsound.iter().chain(unsound_now).map(|reason| format!("unsound: {reason}"));
    let then_unsound =
        then.unsound.iter().chain(unsound_then).map(|reason| format!("the baseline is unsound: {reason}"));
    compared.reasons = now_unsound.chain(then_unsound).collect();
    if !compared.reasons.is_empty() {
        compared.verdict = Verdict::NotJudged;
        return compared;
    }
    let (less, more) = (-LESS_THROUGHPUT * 100.0, MORE_LATENCY * 100.0);
    let throughput = compared.throughput_change_percent.unwrap_or_default();
    let latency = compared.p99_change_percent.unwrap_or_default();
    if throughput < less {
        compared.reasons.push(format!("throughput {throughput:+.1} %, and {less:+.0} % is allowed"));
    }
    if latency > more {
        compared.reasons.push(format!("p99 {latency:+.1} %, and {more:+.0} % is allowed"));
    }
    compared.verdict = if !compared.reasons.is_empty() {
        Verdict::Worse
    } else if throughput > -less || latency < -more {
        Verdict::Better
    } else {
        Verdict::Same
    };
    compared
}

/// Returns how much more there is now, in percent.
fn change([now, then]: [Option<f64>; 2]) -> Option<f64> {
    let (now, then) = (now?, then?);
    (then > 0.0).then(|| (now / then - 1.0) * 100.0)
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Better => "better",
            Self::Worse => "REGRESSION",
            Self::NotJudged => "not judged",
            Self::New => "new",
            Self::Missing => "missing",
        }
    }
}

impl Comparison {
    fn table(&self) -> Table {
        let mut table = Table::new([
            "Scenario",
            "Server",
            "Throughput",
            "Baseline",
            "Change",
            "p99",
            "Baseline",
            "Change",
            "Errors",
            "Verdict",
        ]);
        let rate = |value: Option<f64>| value.map(|value| format!("{} req/s", thousands(value))).unwrap_or_default();
        let time = |value: Option<f64>| value.map(milliseconds).unwrap_or_default();
        let percent = |value: Option<f64>| value.map(|value| format!("{value:+.1}%")).unwrap_or_default();
        for compared in &self.scenarios {
            let Compared { scenario, server, verdict, throughput, p99_ms, errors, .. } = compared;
            let errors = match errors {
                [Some(now), Some(then)] if now != then => format!("{now} (was {then})"),
                [Some(count), _] | [_, Some(count)] => count.to_string(),
                [None, None] => String::new(),
            };
            table.row([
                scenario.clone(),
                server.clone(),
                rate(throughput[0]),
                rate(throughput[1]),
                percent(compared.throughput_change_percent),
                time(p99_ms[0]),
                time(p99_ms[1]),
                percent(compared.p99_change_percent),
                errors,
                verdict.text().to_owned(),
            ]);
        }
        table
    }

    /// Returns what is said below the table.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.notes.clone();
        for compared in &self.scenarios {
            let name = format!("{} on {}", compared.scenario, compared.server);
            remarks.extend(compared.reasons.iter().map(|reason| format!("{name}: {reason}")));
        }
        let verdict = |wanted| self.scenarios.iter().filter(|compared| compared.verdict == wanted).count();
        remarks.push(match (verdict(Verdict::Worse), verdict(Verdict::NotJudged)) {
            (0, 0) => "no regression".to_owned(),
            (0, left_out) => format!("no regression; {left_out} of {} not judged", self.scenarios.len()),
            (worse, _) => format!("{worse} of {} are regressions", self.scenarios.len()),
        });
        remarks
    }

    pub(crate) fn text(&self) -> String {
        self.remarks().iter().fold(self.table().boxed(), |text, remark| format!("{text}{remark}\n"))
    }

    pub(crate) fn markdown(&self) -> String {
        let head = format!("## Benchmark: {}\n\n", if self.is_regression { "regression" } else { "no regression" });
        let text = head + &self.table().markdown() + "\n";
        self.remarks().iter().fold(text, |text, remark| format!("{text}- {remark}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::result::{FORMAT, Latency};

    fn results(scenarios: Vec<Measured>) -> Results {
        Results { format: FORMAT, scenarios, ..Results::default() }
    }

    fn measured(throughput: f64, p99: f64) -> Measured {
        Measured {
            scenario: "action-get".to_owned(),
            server: "bunbase".to_owned(),
            throughput,
            latency_ms: Latency { p99, ..Latency::default() },
            ..Measured::default()
        }
    }

    fn verdict(now: Measured, then: Measured) -> Verdict {
        compare(&results(vec![now]), &results(vec![then])).scenarios[0].verdict
    }

    #[test]
    fn five_percent_less_is_allowed_and_more_is_a_regression() {
        assert_eq!(verdict(measured(951.0, 10.0), measured(1000.0, 10.0)), Verdict::Same);
        assert_eq!(verdict(measured(949.0, 10.0), measured(1000.0, 10.0)), Verdict::Worse);
        assert_eq!(verdict(measured(1060.0, 10.0), measured(1000.0, 10.0)), Verdict::Better);
    }

    #[test]
    fn ten_percent_more_latency_is_allowed_and_more_is_a_regression() {
        assert_eq!(verdict(measured(1000.0, 10.9), measured(1000.0, 10.0)), Verdict::Same);
        assert_eq!(verdict(measured(1000.0, 11.1), measured(1000.0, 10.0)), Verdict::Worse);
        assert_eq!(verdict(measured(1000.0, 8.0), measured(1000.0, 10.0)), Verdict::Better);
    }

    #[test]
    fn what_is_worse_in_one_is_not_made_good_by_the_other() {
        assert_eq!(verdict(measured(2000.0, 12.0), measured(1000.0, 10.0)), Verdict::Worse);
    }

    #[test]
    fn a_new_error_is_a_regression_even_where_nothing_is_judged() {
        let now = Measured { errors: 1, unsound: vec!["busy".to_owned()], ..measured(2000.0, 1.0) };
        assert_eq!(verdict(now, measured(1000.0, 10.0)), Verdict::Worse);
        let then = Measured { errors: 1, ..measured(1000.0, 10.0) };
        assert_eq!(verdict(measured(1000.0, 10.0), then), Verdict::Same);
    }

    #[test]
    fn what_is_unsound_is_not_judged_and_says_why() {
        let now = Measured { unsound: vec!["others used 30 %".to_owned()], ..measured(10.0, 900.0) };
        let comparison = compare(&results(vec![now]), &results(vec![measured(1000.0, 10.0)]));
        assert_eq!(comparison.scenarios[0].verdict, Verdict::NotJudged);
        assert!(!comparison.is_regression);
        let text = comparison.text();
        assert!(text.contains("others used 30 %") && text.contains("1 of 1 not judged"), "{text}");
        let mut baseline = results(vec![measured(1000.0, 10.0)]);
        baseline.unsound = vec!["the load average was 9".to_owned()];
        let comparison = compare(&results(vec![measured(10.0, 900.0)]), &baseline);
        assert_eq!(comparison.scenarios[0].verdict, Verdict::NotJudged);
    }

    #[test]
    fn a_scenario_of_one_file_alone_is_shown() {
        let other = Measured { scenario: "kv".to_owned(), ..measured(1.0, 1.0) };
        let comparison = compare(&results(vec![measured(1.0, 1.0)]), &results(vec![other]));
        let verdicts: Vec<_> = comparison.scenarios.iter().map(|compared| compared.verdict).collect();
        assert_eq!(verdicts, [Verdict::New, Verdict::Missing]);
        assert!(!comparison.is_regression);
    }

    #[test]
    fn a_scenario_that_fails_is_a_regression() {
        let now = Measured { failed: Some("has status 500".to_owned()), ..measured(0.0, 0.0) };
        let comparison = compare(&results(vec![now.clone()]), &results(vec![measured(1000.0, 10.0)]));
        assert!(comparison.is_regression && comparison.markdown().contains("has status 500"));
        assert!(compare(&results(vec![now]), &results(Vec::new())).is_regression);
    }

    #[test]
    fn other_machines_and_settings_are_told() {
        let mut baseline = results(vec![measured(1.0, 1.0)]);
        baseline.machine.class = "other-8c".to_owned();
        baseline.setup.connections = 7;
        let notes = compare(&results(vec![measured(1.0, 1.0)]), &baseline).notes.join("; ");
        assert!(notes.contains("other-8c") && notes.contains("settings differ"), "{notes}");
    }
}
