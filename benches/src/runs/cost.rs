//! What recording costs an action's requests, in time of the processor: on a machine that does other things as well it says more than
//! how many requests there were in a second.

use super::Size;
use crate::{
    Result,
    cost::{Asked, more},
    report::{Goal, Report},
    runner,
};

/// Records are taken, and never written.
const UNWRITTEN: [&str; 2] = ["persistence.flush_interval_ms=3600000", "persistence.max_buffer_size=1000000000"];

/// As much of the buffer as is in use where the database keeps up.
const IN_USE: &str = "persistence.max_buffered_bytes=128KB";

/// Loads servers in turn, of which one records nothing, and compares the others with it.
pub(super) fn requests(file: &str, postgres: &str, size: Size, report: &mut Report) -> Result<()> {
    let [late, never] = UNWRITTEN;
    let (file, postgres) = (Some(file), Some(postgres));
    let kinds: [(&str, &str, Option<&str>, &[&str]); 8] = [
        ("memory", "nothing: two servers that are alike", None, &["persistence.enabled=false"]),
        ("memory", "taken into the buffer", file, &[IN_USE, late, never]),
        (
            "memory",
            "the same, and what runs log goes to them",
            file,
            &[IN_USE, late, never, "persistence.log_level=info"],
        ),
        ("memory", "taken into a full buffer of 16 MiB that nobody writes", file, &[late, never]),
        ("sqlite", "one of a hundred successes written", file, &["persistence.sample=0.01"]),
        ("postgres", "one of a hundred successes written", postgres, &["persistence.sample=0.01"]),
        ("sqlite", "every run written, by the same process", file, &[]),
        ("postgres", "every run written, without what Postgres does", postgres, &[]),
    ];
    let request = runner::request("action-post")?;
    for (backend, what, database, settings) in kinds {
        let plain = Asked::start(None, &["persistence.enabled=false"], request.clone())?;
        let recorded = Asked::start(database, settings, request.clone())?;
        let more = more(&plain, &recorded, size.rounds, size.requests)?;
        let what = format!("time that a request takes more: {what}");
        if settings.contains(&IN_USE) {
            report.target(backend, &what, (more, "%"), Goal::AtMost(3.0))?;
        } else {
            report.add(backend, &what, more, "%")?;
        }
    }
    Ok(())
}
