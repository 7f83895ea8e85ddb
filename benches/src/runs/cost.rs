//! What recording leaves of an action's throughput.

use super::Size;
use crate::{
    CONNECTIONS, Result, Server, load, per_second,
    report::{Goal, Report, median},
};

/// Loads servers in turn, of which one records nothing, and compares the others with it.
pub(super) fn requests(file: &str, postgres: &str, size: Size, report: &mut Report) -> Result<()> {
    let off = ["recorded", "sqlite::memory:", "persistence.enabled=false"];
    let kinds: [(&str, &str, &[&str]); 6] = [
        (
            "memory",
            "taken into the buffer, and written later",
            &["recorded", file, "persistence.flush_interval_ms=3600000", "persistence.max_buffer_size=1000000000"],
        ),
        (
            "memory",
            "the same, and what runs log",
            &[
                "recorded",
                file,
                "persistence.flush_interval_ms=3600000",
                "persistence.max_buffer_size=1000000000",
                "persistence.log_level=info",
            ],
        ),
        ("sqlite", "one of a hundred successes written", &["recorded", file, "persistence.sample=0.01"]),
        ("postgres", "one of a hundred successes written", &["recorded", postgres, "persistence.sample=0.01"]),
        ("sqlite", "every run written", &["recorded", file]),
        ("postgres", "every run written", &["recorded", postgres]),
    ];
    for (backend, what, kind) in kinds {
        let (plain, recorded) = (Server::start(&off)?, Server::start(kind)?);
        let rate = |server: &Server| {
            load::run(&server.address, CONNECTIONS, size.requests).map(|time| per_second(size.requests, time))
        };
        rate(&plain)?;
        rate(&recorded)?;
        let mut ratios = Vec::new();
        for _ in 0..size.rounds {
            ratios.push(rate(&recorded)? / rate(&plain)?);
        }
        let cost = (1.0 - median(ratios)) * 100.0;
        let what = format!("throughput that is lost: {what}");
        if backend == "memory" {
            report.target(backend, &what, (cost, "%"), Goal::AtMost(3.0))?;
        } else {
            report.add(backend, &what, cost, "%")?;
        }
    }
    Ok(())
}
