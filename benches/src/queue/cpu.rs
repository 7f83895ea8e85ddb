//! The processor time that work took: what a busy machine does to the time on the clock, it does not do to this.
//!
//! On Linux, and for a server on this machine; nothing is said elsewhere.

use std::fs;

use super::{Result, bed::Bed};

/// What the kernel counts in, which is the same on every machine that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process and the server.
pub(super) struct Cpu {
    /// The process that all others of the server come from.
    server: Option<u32>,
    began: f64,
}

impl Cpu {
    /// Begins to count.
    pub(super) async fn start(bed: &Bed) -> Result<Self> {
        let mut server = None;
        if bed.is_postgres() {
            let session: i32 = bed.db.sql("SELECT pg_backend_pid()").scalar().await?;
            // On another machine the number names nothing here, or something else.
            server =
                stat(&session.to_string()).filter(|session| session.name == "postgres").map(|session| session.parent);
        }
        let began = seconds(server);
        Ok(Self { server, began })
    }

    /// Returns how many microseconds each of so many jobs took; `None` where that cannot be told.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more digits")]
    pub(super) fn per_job(&self, bed: &Bed, jobs: usize) -> Option<f64> {
        let is_known = self.began > 0.0 && (self.server.is_some() || !bed.is_postgres());
        is_known.then(|| (seconds(self.server) - self.began) * 1e6 / jobs as f64)
    }
}

/// A process, as the kernel tells of it.
struct Stat {
    name: String,
    parent: u32,
    own: f64,
    /// Of its children that have ended.
    past: f64,
}

fn stat(process: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<f64> = rest.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    Some(Stat {
        name: name.to_owned(),
        parent: rest.split_whitespace().nth(1)?.parse().ok()?,
        own: fields.get(10)? + fields.get(11)?,
        past: fields.get(12)? + fields.get(13)?,
    })
}

fn seconds(server: Option<u32>) -> f64 {
    let mut ticks = stat("self").map_or(0.0, |own| own.own);
    if let Some(server) = server {
        ticks += stat(&server.to_string()).map_or(0.0, |all| all.own + all.past);
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_server =
            processes.filter_map(|entry| stat(entry.file_name().to_str()?)).filter(|one| one.parent == server);
        ticks += of_server.map(|one| one.own).sum::<f64>();
    }
    ticks / TICKS_PER_SECOND
}
