//! The buffer alone: what taking a record costs, and how much memory it holds on to.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use bunbase::runs::{Failure, Limits, Recorder, RunRecord, RunStatus};

use super::Size;
use crate::{
    Result,
    report::{Goal, Report, median},
};

/// A record as a run of the benchmark's action makes it.
pub(super) fn record(number: usize) -> RunRecord {
    let started_us = bunbase::clock::Clock::system().now_us();
    // The ids of traces begin with the time.
    let millis = u128::from(started_us.unsigned_abs() / 1000);
    let rest = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 48;
    RunRecord {
        action: "shops.make_item",
        door: "http",
        trace_id: (millis << 80 | rest).to_be_bytes(),
        attempt: 1,
        status: RunStatus::Succeeded,
        started_us,
        duration: Duration::from_micros(25),
        http_status: Some(200),
        failure: None,
        details: None,
    }
}

/// Takes records on one thread and on two, into a buffer that stays full: each of them also drops the oldest.
pub(super) fn taken(size: Size, report: &mut Report) -> Result<()> {
    for threads in [1, 2] {
        let mut times = Vec::new();
        for round in 0..=size.rounds {
            let recorder = Recorder::new(Limits::default());
            let began = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| (0..size.taken).for_each(|number| recorder.record(black_box(record(number)))));
                }
            });
            let took = began.elapsed();
            // The first round warms up.
            if round > 0 {
                times.push(nanos_each(took, size.taken));
            }
        }
        let what = format!("taking a record, {threads} threads at a time, the clock included");
        report.add("memory", &what, median(times), "ns")?;
    }
    Ok(())
}

/// Takes records that nobody writes.
pub(super) fn overflowing(size: Size, report: &mut Report) -> Result<()> {
    let limits = Limits::default();
    let before = resident()?;
    let recorder = Recorder::new(limits);
    for number in 0..size.overflowing {
        let has_failed = number % 10 == 0;
        let status = if has_failed { RunStatus::Failed } else { RunStatus::Succeeded };
        let failure = || Box::new(Failure { code: "broken".into(), text: Some("e".repeat(number % 100)) });
        recorder.record(RunRecord { status, failure: has_failed.then(failure), ..record(number) });
    }
    let counts = recorder.counts();
    let lost = counts.dropped_successes + counts.dropped_others;
    report.add("memory", "records that came while nobody wrote", mega(size.overflowing), "million")?;
    report.add("memory", "of them the oldest dropped", mega(usize::try_from(lost)?), "million")?;
    report.target(
        "memory",
        "the buffer's own count of its bytes",
        (mega(recorder.bytes()), "MB"),
        Goal::AtMost(mega(limits.most_bytes)),
    )?;
    let grown = resident()?.saturating_sub(before);
    report.target(
        "memory",
        "what the process has grown by",
        (mega(grown), "MB"),
        Goal::AtMost(2.0 * mega(limits.most_bytes)),
    )
}

/// Returns how much memory the process has, in bytes. Source: proc(5), `/proc/self/statm`; zero on other systems.
fn resident() -> Result<usize> {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return Ok(0) };
    let pages: usize = text.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4096)
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn nanos_each(time: Duration, count: usize) -> f64 {
    time.as_nanos() as f64 / count as f64
}

#[expect(clippy::cast_precision_loss, reason = "a size needs no more digits")]
fn mega(count: usize) -> f64 {
    count as f64 / 1e6
}
