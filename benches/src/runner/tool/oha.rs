//! oha (<https://github.com/hatoo/oha>): all latencies are kept and sorted, and corrected for coordinated omission where the rate is fixed.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use super::{Shot, write};
use crate::{
    Result,
    runner::result::{Latency, Load},
};

/// The version that is installed.
const VERSION: &str = "~1.16";

/// What is no error of the server's: requests that were under way when the time was over.
const CUT_OFF: &str = "aborted due to deadline";

pub(super) fn install(folder: &Path) -> Result<PathBuf> {
    writeln!(
        std::io::stdout(),
        "oha, which sends the requests, is not there. It is installed now, once, which takes some minutes:\n  cargo install oha --version {VERSION} --locked --root {}",
        folder.display()
    )?;
    let status = Command::new("cargo")
        .args(["install", "oha", "--version", VERSION, "--locked", "--root"])
        .arg(folder)
        // As good, in a third of the time.
        .env("CARGO_PROFILE_RELEASE_LTO", "thin")
        .status()
        .map_err(|error| {
            format!("cargo, which would install it, does not run: {error}. Put oha into PATH, or take --tool wrk.")
        })?;
    if !status.success() {
        return Err("oha could not be installed. Put it into PATH, or take --tool wrk.".into());
    }
    Ok(folder.join("bin").join("oha"))
}

pub(super) fn arguments(command: &mut Command, shot: &Shot<'_>) -> Result<()> {
    command.args(["--no-tui", "--no-color", "--output-format", "json", "--disable-compression"]);
    // Without `-w` what is under way at the end would count as an error.
    command.args(["-w", "-r", "0", "-t", "30s", "-m", shot.method]);
    command.args(["-c", &shot.connections.to_string(), "-z", &format!("{}ms", shot.duration.as_millis())]);
    for (name, value) in &shot.headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    if let Some(body) = &shot.body {
        command.arg("-D").arg(body);
    }
    if let Some(rate) = shot.rate {
        command.args(["-q", &rate.to_string(), "--latency-correction"]);
    }
    match shot.urls.as_slice() {
        [url] => command.arg(url),
        urls => command.arg("--urls-from-file").arg(write(shot, "urls", &(urls.join("\n") + "\n"))?),
    };
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    summary: Summary,
    latency_percentiles: BTreeMap<String, Option<f64>>,
    status_code_distribution: BTreeMap<String, u64>,
    error_distribution: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Summary {
    total: f64,
    slowest: Option<f64>,
    average: Option<f64>,
}

pub(super) fn read(text: &str) -> Result<Load> {
    let Said { summary, latency_percentiles, status_code_distribution, mut error_distribution } =
        serde_json::from_str(text)?;
    // Of nothing there is no percentile.
    let ms = |seconds: Option<f64>| seconds.unwrap_or_default() * 1e3;
    let percentile = |name: &str| ms(latency_percentiles.get(name).copied().flatten());
    error_distribution.remove(CUT_OFF);
    let is_good = |status: &str| status.starts_with('2');
    Ok(Load {
        duration_s: summary.total,
        requests: status_code_distribution.values().sum(),
        non_2xx: status_code_distribution.iter().filter(|(status, _)| !is_good(status)).map(|(_, count)| count).sum(),
        errors: error_distribution.values().sum(),
        statuses: status_code_distribution,
        error_kinds: error_distribution,
        latency_ms: Latency {
            mean: ms(summary.average),
            p50: percentile("p50"),
            p75: percentile("p75"),
            p90: percentile("p90"),
            p95: percentile("p95"),
            p99: percentile("p99"),
            p99_9: percentile("p99.9"),
            max: ms(summary.slowest),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// As 1.16 writes it, with the parts left out that nobody reads.
    const SAID: &str = r#"{
        "summary": {"successRate": 0.99, "total": 2.0, "slowest": 0.25, "fastest": 0.0001, "average": 0.0021,
            "requestsPerSec": 500.0, "totalData": 1000, "sizePerRequest": 1, "sizePerSec": 500.0},
        "latencyPercentiles": {"p10": 0.001, "p25": 0.001, "p50": 0.002, "p75": 0.003, "p90": 0.004, "p95": 0.005,
            "p99": 0.01, "p99.9": 0.1, "p99.99": 0.2},
        "statusCodeDistribution": {"200": 990, "201": 5, "503": 5},
        "errorDistribution": {"aborted due to deadline": 100, "connection closed": 3}
    }"#;

    #[test]
    fn answers_and_errors_are_counted_apart() {
        let load = read(SAID).unwrap();
        assert_eq!((load.requests, load.non_2xx, load.errors), (1000, 5, 3));
        assert!((load.throughput() - 500.0).abs() < 1e-9);
        assert_eq!(load.error_kinds.keys().collect::<Vec<_>>(), ["connection closed"]);
    }

    #[test]
    fn seconds_become_milliseconds() {
        let Latency { mean, p50, p75, p90, p95, p99, p99_9, max } = read(SAID).unwrap().latency_ms;
        let expected = [2.1, 2.0, 3.0, 4.0, 5.0, 10.0, 100.0, 250.0];
        for (is, expected) in [mean, p50, p75, p90, p95, p99, p99_9, max].into_iter().zip(expected) {
            assert!((is - expected).abs() < 1e-9, "{is} {expected}");
        }
    }

    #[test]
    fn nothing_that_was_answered_has_no_percentiles() {
        let text = r#"{"summary": {"total": 1.0, "slowest": null, "average": null}, "latencyPercentiles": {"p50": null},
            "statusCodeDistribution": {}, "errorDistribution": {"Connection refused": 8}}"#;
        let load = read(text).unwrap();
        assert_eq!((load.requests, load.errors), (0, 8));
        assert!(load.latency_ms.p50.abs() < f64::EPSILON);
        assert!(read("oha: no such option").is_err());
    }

    #[test]
    fn a_fixed_rate_is_corrected_for_coordinated_omission() {
        let folder = tempfile::tempdir().unwrap();
        let mut shot = Shot {
            urls: vec!["http://127.0.0.1:1/".to_owned()],
            method: "GET",
            headers: vec![("x-tenant".to_owned(), "acme".to_owned())],
            body: None,
            connections: 7,
            pipelining: 1,
            duration: Duration::from_millis(1500),
            rate: None,
            folder: folder.path(),
        };
        let arguments = |shot: &Shot<'_>| -> Vec<String> {
            let mut command = Command::new("oha");
            arguments(&mut command, shot).unwrap();
            command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
        };
        let free = arguments(&shot);
        assert!(free.windows(2).any(|pair| pair == ["-z", "1500ms"]), "{free:?}");
        assert!(free.windows(2).any(|pair| pair == ["-H", "x-tenant: acme"]), "{free:?}");
        assert!(!free.contains(&"--latency-correction".to_owned()));
        shot.rate = Some(500);
        let fixed = arguments(&shot);
        assert!(fixed.windows(3).any(|three| three == ["-q", "500", "--latency-correction"]), "{fixed:?}");
    }
}
