//! What requests cost a server, in time of the processor: on a machine that does other things as well it says more than how many requests
//! there were in a second.

use std::time::Duration;

use crate::{CONNECTIONS, Result, Server, load};

/// Returns what so many requests cost, in seconds.
pub(crate) fn cost(server: &Server, requests: usize) -> Result<f64> {
    let before = processor_time(server);
    let took = load::run(&server.address, CONNECTIONS, requests)?;
    let cost = match (before, processor_time(server)) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => took,
    };
    Ok(cost.as_secs_f64())
}

/// Returns how long a server has been on a processor; `None` where the system does not say. Source: proc(5), `/proc/pid/stat`, fields 14 and
/// 15, in hundredths of a second.
fn processor_time(server: &Server) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process.id())).ok()?;
    // The name, which comes before, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}
