//! What the system says of the process. The names are those that Prometheus' own clients give
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>), so that dashboards for them fit.

use std::time::{Instant, SystemTime};

use super::{Labels, Metrics, numbers::Value};

impl Metrics {
    /// Registers how long the process runs, and what runs: the application's name and version.
    pub(crate) fn build(&self, name: &str, version: &str) {
        let started = Instant::now();
        let uptime = move || vec![(Labels::new(), started.elapsed())];
        self.gauges("bunbase_uptime_seconds", "Seconds since the application was put together", uptime);
        let labels: Labels = vec![("name", name.to_owned().into()), ("version", version.to_owned().into())];
        self.gauges("bunbase_build_info", "What runs; the value is always 1", move || vec![(labels.clone(), 1_u64)]);
    }

    /// Registers processor time, memory, files and threads. Only Linux tells more than when the process began.
    pub(crate) fn process(&self) {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let read = move || vec![(Labels::new(), linux::began().map_or(Value::from(began), Value::from))];
        self.gauges("process_start_time_seconds", "When the process began, in seconds since 1970", read);
        self.counts("process_cpu_seconds", "Seconds of processor time, user and system together", || one(linux::cpu()));
        let help = "Memory that the process has in RAM, in bytes";
        self.gauges("process_resident_memory_bytes", help, || one(linux::resident()));
        let help = "Addresses that the process has mapped, in bytes";
        self.gauges("process_virtual_memory_bytes", help, || one(linux::mapped()));
        self.gauges("process_open_fds", "Files and connections that are open", || one(linux::open_files()));
        self.gauges("process_max_fds", "How many files and connections may be open", || one(linux::most_files()));
        self.gauges("process_threads", "Threads", || one(linux::threads()));
    }
}

/// Returns the one value of a metric without labels; none where the system does not say.
fn one<V: Into<Value>>(value: Option<V>) -> Vec<(Labels, Value)> {
    value.map(|value| (Labels::new(), value.into())).into_iter().collect()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use procfs::{
        CurrentSI, ProcResult, WithCurrentSystemInfo,
        process::{LimitValue, Process, Stat},
    };

    fn stat() -> Option<Stat> {
        Process::myself().and_then(|process| process.stat()).ok()
    }

    /// Returns a number of ticks of the system's clock as a time.
    fn ticks(ticks: u64) -> Duration {
        let a_second = procfs::ticks_per_second().max(1);
        Duration::from_secs(ticks / a_second)
            + Duration::from_secs(ticks % a_second) / u32::try_from(a_second).unwrap_or(100)
    }

    pub(super) fn began() -> Option<Duration> {
        let boot = procfs::KernelStats::current().ok()?.btime;
        Some(Duration::from_secs(boot) + ticks(stat()?.starttime))
    }

    pub(super) fn cpu() -> Option<Duration> {
        let stat = stat()?;
        Some(ticks(stat.utime + stat.stime))
    }

    pub(super) fn resident() -> Option<u64> {
        Some(stat()?.rss_bytes().get())
    }

    pub(super) fn mapped() -> Option<u64> {
        Some(stat()?.vsize)
    }

    pub(super) fn threads() -> Option<u64> {
        u64::try_from(stat()?.num_threads).ok()
    }

    pub(super) fn open_files() -> Option<u64> {
        let count: ProcResult<usize> = Process::myself().and_then(|process| process.fd_count());
        u64::try_from(count.ok()?).ok()
    }

    pub(super) fn most_files() -> Option<u64> {
        let limits = Process::myself().and_then(|process| process.limits()).ok()?;
        match limits.max_open_files.soft_limit {
            LimitValue::Value(most) => Some(most),
            LimitValue::Unlimited => None,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use std::time::Duration;

    macro_rules! silent {
        ($($name:ident -> $type:ty),*) => {$(
            pub(super) fn $name() -> Option<$type> {
                None
            }
        )*};
    }

    silent!(began -> Duration, cpu -> Duration, resident -> u64, mapped -> u64, threads -> u64, open_files -> u64, most_files -> u64);
}
