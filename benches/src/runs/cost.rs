//! What recording costs an action's requests, in time of the processor: on a machine that does other things as well it says more than
//! how many requests there were in a second.

use super::Size;
use crate::{
    Result, Server,
    cost::cost,
    report::{Goal, Report, median},
};

/// Records are taken, and never written.
const UNWRITTEN: [&str; 2] = ["persistence.flush_interval_ms=3600000", "persistence.max_buffer_size=1000000000"];

/// As much of the buffer as is in use where the database keeps up.
const IN_USE: &str = "persistence.max_buffered_bytes=128KB";

/// Loads servers in turn, of which one records nothing, and compares the others with it.
pub(super) fn requests(file: &str, postgres: &str, size: Size, report: &mut Report) -> Result<()> {
    let [late, never] = UNWRITTEN;
    let off = ["recorded", "sqlite::memory:", "persistence.enabled=false"];
    let kinds: [(&str, &str, &[&str]); 7] = [
        ("memory", "taken into the buffer", &["recorded", file, IN_USE, late, never]),
        (
            "memory",
            "the same, and what runs log goes to them",
            &["recorded", file, IN_USE, late, never, "persistence.log_level=info"],
        ),
        ("memory", "taken into a full buffer of 16 MiB that nobody writes", &["recorded", file, late, never]),
        ("sqlite", "one of a hundred successes written", &["recorded", file, "persistence.sample=0.01"]),
        ("postgres", "one of a hundred successes written", &["recorded", postgres, "persistence.sample=0.01"]),
        ("sqlite", "every run written, by the same process", &["recorded", file]),
        ("postgres", "every run written, without what Postgres does", &["recorded", postgres]),
    ];
    for (backend, what, kind) in kinds {
        let (plain, recorded) = (Server::start(&off)?, Server::start(kind)?);
        cost(&plain, size.requests)?;
        cost(&recorded, size.requests)?;
        let mut ratios = Vec::new();
        for _ in 0..size.rounds {
            ratios.push(cost(&recorded, size.requests)? / cost(&plain, size.requests)?);
        }
        let more = (median(ratios) - 1.0) * 100.0;
        let what = format!("time that a request takes more: {what}");
        if kind.contains(&IN_USE) {
            report.target(backend, &what, (more, "%"), Goal::AtMost(3.0))?;
        } else {
            report.add(backend, &what, more, "%")?;
        }
    }
    Ok(())
}
