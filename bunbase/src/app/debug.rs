//! The endpoints that help to find out why something is slow. They are off unless `debug.access` says otherwise.

use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::levels;
#[cfg(any(feature = "profiling", feature = "heap-profiling"))]
use crate::Result;
use crate::http::builtin::{self, Builtin, Said};

/// Returns the endpoints by the ends of their paths.
pub(super) fn endpoints() -> Vec<(&'static str, Builtin)> {
    let runtime = Handle::try_current().ok();
    #[cfg_attr(
        not(any(feature = "profiling", feature = "heap-profiling")),
        expect(unused_mut, reason = "there are no others")
    )]
    let mut all = vec![
        ("log", builtin::say(|_query| async { Ok(Said::json(&log())) })),
        ("log/level", builtin::take(|text| async move { levels::set(&text).map(|_| Said::json(&log())) })),
        (
            "runtime",
            builtin::say(move |_query| {
                let runtime = runtime.clone();
                async move { Ok(Said::json(&runtime.as_ref().map_or(Value::Null, state))) }
            }),
        ),
    ];
    #[cfg(feature = "profiling")]
    all.push(("cpu", builtin::say(cpu)));
    #[cfg(feature = "heap-profiling")]
    all.push(("heap", builtin::say(heap)));
    all
}

/// The level of the log.
fn log() -> Value {
    match levels::now() {
        Some((level, configured)) => json!({ "level": level, "configured": configured }),
        None => json!({ "level": null, "configured": null }),
    }
}

/// The runtime of everything but requests, which have one for each worker.
fn state(runtime: &Handle) -> Value {
    let metrics = runtime.metrics();
    let workers: Vec<_> = (0..metrics.num_workers())
        .map(|worker| {
            json!({
                "busy_ms": metrics.worker_total_busy_duration(worker).as_secs_f64() * 1000.0,
                "parked": metrics.worker_park_count(worker),
            })
        })
        .collect();
    json!({
        "workers": workers,
        "alive_tasks": metrics.num_alive_tasks(),
        "waiting_tasks": metrics.global_queue_depth(),
    })
}

/// `?seconds=10&format=svg`: where the processor time of the next seconds goes.
#[cfg(feature = "profiling")]
async fn cpu(query: builtin::Query) -> Result<Said> {
    use crate::observe::{ProfileFormat, profile};
    let seconds = query.number("seconds", 10)?;
    let format = ProfileFormat::named(query.text("format").unwrap_or("svg"))?;
    let profile = profile::cpu(seconds, format).await?;
    Ok(Said::new(format.content_type(), profile))
}

/// `?format=pprof`: what holds the memory that is in use.
#[cfg(feature = "heap-profiling")]
async fn heap(query: builtin::Query) -> Result<Said> {
    use crate::observe::{ProfileFormat, heap};
    let format = ProfileFormat::named(query.text("format").unwrap_or("pprof"))?;
    Ok(Said::new(format.content_type(), heap::dump(format).await?))
}
