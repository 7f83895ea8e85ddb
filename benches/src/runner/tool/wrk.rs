//! wrk (<https://github.com/wg/wrk>), with a script that pipelines and that writes its result as JSON.

use std::{fs, process::Command, thread};

use serde::Deserialize;

use super::{Shot, write};
use crate::{
    Result,
    runner::result::{Latency, Load},
};

/// What every script ends with. Times are in microseconds.
const REPORT: &str = include_str!("wrk.lua");

/// What the line with the result begins with: wrk writes its own words before it.
const MARK: &str = "RESULT ";

pub(super) fn arguments(command: &mut Command, shot: &Shot<'_>) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(shot.connections).max(1);
    let script = write(shot, "wrk.lua", &script(shot)?)?;
    let first = shot.urls.first().ok_or("there is no address")?;
    let time = shot.duration.as_secs().max(1);
    command.args(["-t", &threads.to_string(), "-c", &shot.connections.to_string(), "-d", &format!("{time}s")]);
    command.args(["--timeout", "30s", "-s"]).arg(script).arg(first);
    Ok(())
}

/// Writes the script: the requests, and the report.
fn script(shot: &Shot<'_>) -> Result<String> {
    let body = match &shot.body {
        Some(path) => lua(&fs::read(path)?),
        None => "nil".to_owned(),
    };
    let headers: Vec<String> = shot
        .headers
        .iter()
        .map(|(name, value)| format!("[{}] = {}", lua(name.as_bytes()), lua(value.as_bytes())))
        .collect();
    let headers = headers.join(", ");
    let paths = shot.urls.iter().map(|url| {
        let url = url::Url::parse(url)?;
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(lua(format!("{}{query}", url.path()).as_bytes()))
    });
    let paths = paths.collect::<Result<Vec<_>>>()?.join(", ");
    let (method, depth) = (lua(shot.method.as_bytes()), shot.pipelining.max(1));
    Ok(format!(
        "local method, depth = {method}, {depth}\nlocal headers = {{ {headers}}}\nlocal body = {body}\nlocal paths = {{ {paths} }}\n{REPORT}"
    ))
}

/// Writes bytes as a text of Lua.
fn lua(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            // As three decimal digits.
            other => text.extend(['\\'].into_iter().chain(format!("{other:03}").chars())),
        }
    }
    text + "\""
}

#[derive(Deserialize)]
struct Said {
    duration_us: f64,
    requests: u64,
    non_2xx: u64,
    errors: u64,
    mean: f64,
    p50: f64,
    p75: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

pub(super) fn read(text: &str) -> Result<Load> {
    let line = text.lines().find_map(|line| line.strip_prefix(MARK)).ok_or("there is no result")?;
    let said: Said = serde_json::from_str(line)?;
    let ms = |microseconds: f64| microseconds / 1e3;
    Ok(Load {
        duration_s: said.duration_us / 1e6,
        requests: said.requests,
        non_2xx: said.non_2xx,
        errors: said.errors,
        latency_ms: Latency {
            mean: ms(said.mean),
            p50: ms(said.p50),
            p75: ms(said.p75),
            p90: ms(said.p90),
            p95: ms(said.p95),
            p99: ms(said.p99),
            p99_9: ms(said.p99_9),
            max: ms(said.max),
        },
        ..Load::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_among_the_words() {
        let text = "Running 1s test @ http://127.0.0.1:1/\n  2 threads and 10 connections\n\
            RESULT {\"duration_us\":2000000,\"requests\":1000,\"non_2xx\":2,\"errors\":1,\"mean\":1500,\"p50\":1000,\"p75\":2000,\
            \"p90\":3000,\"p95\":4000,\"p99\":5000,\"p99_9\":6000,\"max\":7000}\n";
        let load = read(text).unwrap();
        assert_eq!((load.requests, load.non_2xx, load.errors), (1000, 2, 1));
        assert!((load.throughput() - 500.0).abs() < 1e-9);
        assert!((load.latency_ms.p99_9 - 6.0).abs() < 1e-9);
        assert!(read("unable to connect").is_err());
    }

    #[test]
    fn any_bytes_are_a_text_of_lua() {
        assert_eq!(lua(b"a\"b\\c\r\n\xff0"), "\"a\\\"b\\\\c\\013\\010\\2550\"");
    }
}
