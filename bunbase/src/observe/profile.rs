//! Where processor time goes: profiles by sampling, as a flame graph or for pprof.
//!
//! A signal interrupts the process 99 times a second of the processor time that it uses, and the stack that is running is written down: a
//! hundredth of the time is spent so. One profile is made at a time.

use std::{path::PathBuf, time::Duration};

use pprof::{ProfilerGuard, ProfilerGuardBuilder, protos::Message};
use tokio::sync::Semaphore;

use super::ProfileFormat;
use crate::{Error, Result};

/// How often a second it is looked; no divisor of what timers are set to, so that nothing hides between two looks.
const FREQUENCY: i32 = 99;

/// The longest profile that is made on request.
const LONGEST: Duration = Duration::from_mins(1);

/// The profiler is one of the process.
static ONE: Semaphore = Semaphore::const_new(1);

/// A profile that is being made.
pub(crate) struct CpuProfile {
    guard: ProfilerGuard<'static>,
    _one: tokio::sync::SemaphorePermit<'static>,
}

impl CpuProfile {
    /// Begins one.
    ///
    /// # Errors
    /// 409 while another is made; 500 when the system does not let it.
    pub(crate) fn begin() -> Result<Self> {
        let busy = |_| Error::new(409, "profile_running", "a profile is being made; wait until it is there");
        let one = ONE.try_acquire().map_err(busy)?;
        let guard = ProfilerGuardBuilder::default()
            .frequency(FREQUENCY)
            // Interrupted there, reading the stack could wait for itself.
            .blocklist(&["libc", "libgcc", "pthread", "vdso"])
            .build()
            .map_err(Error::internal)?;
        Ok(Self { guard, _one: one })
    }

    /// Ends it and writes it. Takes a while: names are looked up.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub(crate) fn end(self, format: ProfileFormat) -> Result<Vec<u8>> {
        let report = self.guard.report().build().map_err(Error::internal)?;
        let mut bytes = Vec::new();
        match format {
            // Without a sample there is nothing to draw.
            ProfileFormat::Svg if report.data.is_empty() => {
                bytes.extend_from_slice(br#"<svg xmlns="http://www.w3.org/2000/svg"/>"#);
            }
            ProfileFormat::Svg => report.flamegraph(&mut bytes).map_err(Error::internal)?,
            ProfileFormat::Pprof => {
                let profile = report.pprof().map_err(Error::internal)?;
                profile.encode(&mut bytes).map_err(Error::internal)?;
            }
        }
        Ok(bytes)
    }
}

/// A profile that goes to a file in the end.
pub(crate) struct CpuProfileFile {
    profile: CpuProfile,
    path: PathBuf,
}

impl CpuProfileFile {
    /// Begins one.
    ///
    /// # Errors
    /// 500 when the file cannot be made; otherwise as [`CpuProfile::begin`].
    pub(crate) fn begin(path: PathBuf) -> Result<Self> {
        // Now, and not after hours: a place where nothing can be written.
        std::fs::File::create(&path).map_err(|error| {
            Error::internal(format!("the profile cannot be written to {}: {error}", path.display()))
        })?;
        Ok(Self { profile: CpuProfile::begin()?, path })
    }

    /// Ends it, and writes the file.
    ///
    /// # Errors
    /// As [`CpuProfile::end`].
    pub(crate) fn end(self) -> Result<()> {
        let format = ProfileFormat::of_file(&self.path);
        std::fs::write(&self.path, self.profile.end(format)?).map_err(Error::internal)
    }
}

/// Makes a profile of the next seconds, 1 to 60.
///
/// # Errors
/// 422 when it is too long; otherwise as [`CpuProfile::begin`].
pub(crate) async fn cpu(seconds: u64, format: ProfileFormat) -> Result<Vec<u8>> {
    let time = Duration::from_secs(seconds);
    if time.is_zero() || time > LONGEST {
        return Err(Error::new(422, "query", format!("`seconds` is from 1 to {}", LONGEST.as_secs())));
    }
    let profile = CpuProfile::begin()?;
    tokio::time::sleep(time).await;
    tokio::task::spawn_blocking(move || profile.end(format)).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Keeps a core busy.
    fn busy(until: &std::sync::atomic::AtomicBool) -> u64 {
        let mut sum = 1_u64;
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        sum
    }

    #[tokio::test]
    async fn a_profile_names_what_runs_in_both_formats() {
        let stop = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
        let working = {
            let stop = stop.clone();
            std::thread::spawn(move || busy(&stop))
        };
        let svg = cpu(1, ProfileFormat::Svg).await.unwrap();
        let pprof = cpu(1, ProfileFormat::Pprof).await.unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        working.join().unwrap();
        let svg = String::from_utf8(svg).unwrap();
        assert!(svg.contains("<svg") && svg.contains("busy"), "{}", &svg[..200.min(svg.len())]);
        let profile = pprof::protos::Profile::decode(&*pprof).unwrap();
        assert!(profile.string_table.iter().any(|text| text.contains("busy")));
    }

    #[tokio::test]
    async fn what_is_asked_for_wrongly_is_told() {
        for seconds in [0, 61, u64::MAX] {
            assert_eq!(cpu(seconds, ProfileFormat::Svg).await.unwrap_err().status(), 422);
        }
        assert_eq!(ProfileFormat::named("png").unwrap_err().status(), 422);
        assert_eq!(ProfileFormat::of_file(Path::new("a/b.SVG")), ProfileFormat::Svg);
        assert_eq!(ProfileFormat::of_file(Path::new("a/b.pb")), ProfileFormat::Pprof);
    }
}
