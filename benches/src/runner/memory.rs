//! Resident memory: idle, under load, and what connections take.

use std::{thread, time::Duration};

use super::{
    bed::{Bed, Subject},
    process,
    result::Memory,
    scenario,
    table::megabytes,
    target::Target,
};
use crate::Result;

/// How long a server is loaded before it is looked at.
const LOADED: Duration = Duration::from_secs(5);

/// How long it does nothing before it counts as idle.
const IDLE: Duration = Duration::from_secs(2);

/// How many connections to the database are looked at.
const CONNECTIONS: i64 = 20;

/// Measures a server, and for the application what its connections take.
pub(crate) fn measure(bed: &mut Bed, target: &Target) -> Result<Memory> {
    let subject = bed.start(target)?;
    thread::sleep(IDLE);
    let mut memory = Memory { server: target.name(), idle: resident(&subject)?, ..Memory::default() };
    memory.idle_own = own(&subject);
    memory.at_100_connections = loaded(bed, &subject, "action-post", 100)?;
    memory.at_100_connections_own = own(&subject);
    memory.at_500_connections = loaded(bed, &subject, "action-post", 500)?;
    subject.stop()?;
    if *target == Target::Bunbase {
        connections(bed, &mut memory)?;
    }
    bed.clean()?;
    bed.progress.say(&format!(
        "memory of {}: idle {}, with 100 connections {}, with 500 {}",
        memory.server,
        megabytes(memory.idle),
        megabytes(memory.at_100_connections),
        megabytes(memory.at_500_connections)
    ));
    Ok(memory)
}

/// Loads a server that has few connections to the database or to Redis beside one that has many: what they differ by is what those take.
fn connections(bed: &mut Bed, memory: &mut Memory) -> Result<()> {
    let is_postgres = bed.data.as_ref().is_some_and(|data| data.url.starts_with("postgres"));
    if is_postgres && bed.has_rows {
        let name = bed.data.as_ref().and_then(|data| data.local_name.clone());
        let mut of = |count: i64| -> Result<(u64, u64)> {
            let subject = with(bed, &format!("database.max_connections={count}"), |bed| bed.start(&Target::Bunbase))?;
            let own = loaded(bed, &subject, "db-read", 100)?;
            let there = name.as_deref().map(process::memory_of_sessions).unwrap_or_default();
            subject.stop()?;
            Ok((own, there))
        };
        let (few, many) = (of(1)?, of(1 + CONNECTIONS)?);
        memory.per_20_database_connections = Some(difference(many.0, few.0));
        memory.per_20_database_connections_there = name.is_some().then(|| difference(many.1, few.1));
    }
    if bed.redis.is_some() {
        let mut of = |backend: &str| -> Result<u64> {
            let subject = with(bed, &format!("kv.backend={backend}"), |bed| bed.start(&Target::Bunbase))?;
            let bytes = loaded(bed, &subject, "kv", 100)?;
            subject.stop()?;
            Ok(bytes)
        };
        let (without, with) = (of("memory")?, of("redis")?);
        memory.per_redis_pool = Some(difference(with, without));
    }
    Ok(())
}

/// Does something while the application has one more setting.
fn with<T>(bed: &mut Bed, setting: &str, f: impl FnOnce(&mut Bed) -> Result<T>) -> Result<T> {
    bed.environment.settings.push(setting.to_owned());
    let result = f(bed);
    bed.environment.settings.pop();
    result
}

fn difference(many: u64, few: u64) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX) - i64::try_from(few).unwrap_or(i64::MAX)
}

fn resident(subject: &Subject) -> Result<u64> {
    let bytes = subject.process().and_then(process::resident_bytes);
    bytes.ok_or_else(|| "memory is read from `/proc`, which is not there".into())
}

fn own(subject: &Subject) -> Option<u64> {
    subject.process().and_then(process::own_bytes)
}

/// Returns the most memory that a server has while so many connections ask.
fn loaded(bed: &mut Bed, subject: &Subject, scenario: &str, connections: u64) -> Result<u64> {
    let scenario = scenario::chosen(&[scenario.to_owned()])?.remove(0);
    let request = bed.prepare(subject, &scenario)?;
    let (usual, rate) = (bed.options.connections, bed.options.rate.take());
    bed.options.connections = connections;
    let what = format!("memory of {} with {connections} connections", subject.name);
    let run = bed.fire(&what, subject, &request, LOADED);
    (bed.options.connections, bed.options.rate) = (usual, rate);
    run?.usage.server_rss_bytes.ok_or_else(|| "memory is read from `/proc`, which is not there".into())
}
