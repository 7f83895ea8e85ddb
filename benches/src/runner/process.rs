//! What processes use, as Linux tells in `/proc` (proc(5)). Elsewhere nothing is known, and nothing is said.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::result::Usage;

/// What the kernel counts in, which is the same on every machine that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// How often is looked while something runs.
const PERIOD: Duration = Duration::from_millis(500);

/// Whose use is told apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) server: Option<u32>,
    /// The name of a Postgres database on this machine: its sessions have it in their titles.
    pub(crate) database: Option<String>,
    pub(crate) redis: Option<u32>,
    /// Another server of the same measurement, which does nothing meanwhile: its time is nobody's but is no disturbance.
    pub(crate) others: Vec<u32>,
}

/// A process's line in `/proc/ID/stat`.
struct Stat {
    ticks: u64,
    /// Of its children that have ended and were waited for.
    ended_ticks: u64,
}

fn stat(process: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, which comes before, may hold anything.
    let rest = text.rsplit_once(')')?.1;
    // From the third field on, the state.
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    Some(Stat { ticks: field(14)? + field(15)?, ended_ticks: field(16)? + field(17)? })
}

/// Returns how long a process has been on a processor; `None` where the system does not say.
pub(crate) fn processor_time(process: u32) -> Option<Duration> {
    let ticks = u32::try_from(stat(&process.to_string())?.ticks).ok()?;
    Some(Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND))
}

/// Returns a number of `/proc/ID/FILE` that is given in kB, in bytes.
fn kilobytes(process: u32, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Returns the resident memory of a process in bytes.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    kilobytes(process, "status", "VmRSS")
}

/// Returns what of a process's resident memory is its own, and no page of a file, in bytes.
pub(crate) fn own_bytes(process: u32) -> Option<u64> {
    kilobytes(process, "status", "RssAnon")
}

/// Returns the memory of a process in bytes, pages that others have too by their share; resident memory where that is not told.
fn proportional_bytes(process: u32) -> Option<u64> {
    kilobytes(process, "smaps_rollup", "Pss").or_else(|| resident_bytes(process))
}

/// Returns the processes of Postgres that work for a database: its sessions and workers.
pub(crate) fn sessions_of(database: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_session = |process: &u32| {
        let title = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let title = String::from_utf8_lossy(&title);
        title.starts_with("postgres") && title.split([' ', '\0']).any(|word| word == database)
    };
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_session).collect()
}

/// Returns what the sessions of a database have in memory.
pub(crate) fn memory_of_sessions(database: &str) -> u64 {
    sessions_of(database).into_iter().filter_map(proportional_bytes).sum()
}

/// Returns a process and those that it has started, and they: some servers are more than one.
fn family(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        found.extend(children);
        next += 1;
    }
    found
}

/// Returns the ticks of all cores that something used, without interrupts: those of loopback traffic belong to nobody.
fn busy_ticks() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, and what a hypervisor gave to others.
    Some(fields.first()? + fields.get(1)? + fields.get(2)? + fields.get(7).copied().unwrap_or_default())
}

/// Looks at processes while something runs.
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<JoinHandle<()>>,
    began: Began,
}

struct Began {
    busy: Option<u64>,
    own: u64,
    /// Of the children of this process that have ended, the load tool among them.
    ended: u64,
}

#[derive(Default)]
struct Seen {
    watched: Watched,
    /// Ticks at the beginning and now, by process.
    ticks: BTreeMap<u32, (u64, u64)>,
    sessions: Vec<u32>,
    /// The server's processes.
    servers: Vec<u32>,
    server_rss_bytes: Option<u64>,
    database_memory_bytes: Option<u64>,
    rounds: u64,
}

impl Seen {
    fn look(&mut self) {
        if let Some(server) = self.watched.server {
            let servers = family(server);
            let resident: u64 = servers.iter().filter_map(|server| resident_bytes(*server)).sum();
            self.server_rss_bytes = self.server_rss_bytes.max(Some(resident));
            self.servers
                .extend(servers.into_iter().filter(|server| !self.servers.contains(server)).collect::<Vec<_>>());
        }
        // A look at every process of the machine costs more than all the rest.
        if let Some(database) = self.watched.database.clone().filter(|_| self.rounds.is_multiple_of(4)) {
            for session in sessions_of(&database) {
                if !self.sessions.contains(&session) {
                    self.sessions.push(session);
                }
            }
        }
        // The kernel walks all of their pages for that.
        if self.watched.database.is_some() && self.rounds % 20 == 3 {
            let memory = self.sessions.iter().filter_map(|session| proportional_bytes(*session)).sum();
            self.database_memory_bytes = self.database_memory_bytes.max(Some(memory));
        }
        let Watched { redis, others, .. } = &self.watched;
        let others = others.iter().flat_map(|other| family(*other));
        let all: Vec<u32> = self.servers.iter().chain(redis).chain(&self.sessions).copied().chain(others).collect();
        for process in all {
            let Some(now) = stat(&process.to_string()) else { continue };
            // One that began meanwhile has done all of its work meanwhile.
            let began = if self.rounds > 0 { 0 } else { now.ticks };
            self.ticks.entry(process).or_insert((began, now.ticks)).1 = now.ticks;
        }
        self.rounds += 1;
    }

    fn used(&self, process: u32) -> Option<u64> {
        self.ticks.get(&process).map(|(began, now)| now.saturating_sub(*began))
    }

    /// Returns what the server's processes have used; `None` where there is none on this machine.
    fn used_by_server(&self) -> Option<u64> {
        self.watched.server?;
        self.servers
            .iter()
            .map(|server| self.used(*server))
            .reduce(|sum, one| Some(sum.unwrap_or(0) + one.unwrap_or(0)))?
    }

    /// Returns what everybody has used who is no stranger.
    fn used_by_all(&self) -> u64 {
        self.ticks.values().map(|(began, now)| now.saturating_sub(*began)).sum()
    }
}

impl Sampler {
    /// Begins.
    pub(crate) fn start(watched: Watched) -> Self {
        let own = stat("self").unwrap_or(Stat { ticks: 0, ended_ticks: 0 });
        let mut seen = Seen { watched, ..Seen::default() };
        seen.look();
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(seen)));
        let thread = {
            let (stop, seen) = (stop.clone(), seen.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    thread::park_timeout(PERIOD);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).look();
                }
            })
        };
        let began = Began { busy: busy_ticks(), own: own.ticks, ended: own.ended_ticks };
        Self { stop, seen, thread: Some(thread), began }
    }

    /// Returns the processor time that the server used until now, in seconds, and its memory.
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second")]
    pub(crate) fn server_now(&self) -> Option<(f64, u64)> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Some((seen.used_by_server()? as f64 / TICKS_PER_SECOND, seen.server_rss_bytes?))
    }

    /// Ends, after the load tool was waited for, and says what was used in so many seconds.
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second")]
    pub(crate) fn finish(mut self, duration_s: f64, cores: usize) -> Usage {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does nothing that could panic.
            let _ = thread.join();
        }
        let own = stat("self");
        let busy = busy_ticks().zip(self.began.busy).map(|(now, began)| now.saturating_sub(began));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let tool = own.as_ref().map(|own| own.ended_ticks.saturating_sub(self.began.ended));
        let runner = own.as_ref().map(|own| own.ticks.saturating_sub(self.began.own));
        let Watched { database, redis, .. } = &seen.watched;
        let of = |process: &Option<u32>| process.and_then(|process| seen.used(process));
        let sessions: u64 = seen.sessions.iter().filter_map(|session| seen.used(*session)).sum();
        let known = seen.used_by_all() + tool.unwrap_or_default() + runner.unwrap_or_default();
        let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
        let foreign = |busy: u64| seconds(busy.saturating_sub(known)) / (duration_s * cores as f64);
        Usage {
            server_cpu_s: seen.used_by_server().map(seconds),
            server_rss_bytes: seen.server_rss_bytes,
            database_cpu_s: database.as_ref().map(|_| seconds(sessions)),
            database_memory_bytes: seen.database_memory_bytes,
            redis_cpu_s: of(redis).map(seconds),
            tool_cpu_s: tool.map(seconds),
            foreign_cpu: busy.filter(|_| duration_s > 0.0).map(foreign),
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_number() {
        let own = std::process::id();
        if stat("self").is_none() {
            return; // Not on Linux.
        }
        assert!(stat(&own.to_string()).is_some());
        assert!(resident_bytes(own).is_some_and(|bytes| bytes > 1 << 20));
        assert!(own_bytes(own).is_some_and(|bytes| bytes > 0) && own_bytes(own) < resident_bytes(own));
        assert!(proportional_bytes(own).is_some());
        assert!(stat(&u32::MAX.to_string()).is_none());
    }

    #[test]
    fn a_server_is_all_of_its_processes() {
        if stat("self").is_none() {
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let all = family(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(all.first(), Some(&std::process::id()));
        assert!(all.contains(&child.id()), "{all:?}");
    }

    #[test]
    fn what_a_process_does_is_its_own_and_not_foreign() {
        if stat("self").is_none() {
            return;
        }
        let sampler = Sampler::start(Watched { server: Some(std::process::id()), ..Watched::default() });
        assert!(sampler.server_now().is_some());
        let usage = sampler.finish(1.0, 1);
        assert!(usage.server_cpu_s.is_some());
        assert!(usage.foreign_cpu.is_some_and(|share| share >= 0.0));
        assert_eq!(usage.database_cpu_s, None);
    }
}
