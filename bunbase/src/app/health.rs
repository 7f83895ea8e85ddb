//! What `/_health` checks, and what it shows besides.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    context::Services,
    db::{
        Db,
        migrate::{Plan, State},
    },
    http::{Health, HealthCheck, HealthFact},
    queue::Priority,
};

/// Collects the checks. Redis is one that the application can do without, where everything that is kept there can.
pub(super) fn health(
    own: Vec<(&'static str, HealthCheck)>,
    services: &Arc<Services>,
    redis: Option<(HealthCheck, bool)>,
    migrations: &Plan,
    max_age: Duration,
) -> Arc<Health> {
    let mut checks: Vec<_> = std::iter::once(("database", database(services.db.clone()))).chain(own).collect();
    let mut dispensable = Vec::new();
    match redis {
        Some((check, true)) => dispensable.push(("redis", check)),
        Some((check, false)) => checks.push(("redis", check)),
        None => {}
    }
    let facts = vec![
        ("queues", queues(services.clone())),
        ("outbox", outbox(services.clone())),
        ("migrations", state_of(services.clone(), migrations.clone())),
    ];
    Arc::new(Health::new(checks, max_age).with_dispensable(dispensable).with_facts(facts))
}

/// Whether the database answers; its connections, and its replicas.
fn database(db: Db) -> HealthCheck {
    Arc::new(move || {
        let db = db.clone();
        // Neither the address nor the driver's words: `/_health` may be public.
        Box::pin(async move {
            db.ping().await.map_err(|error| error.to_string())?;
            let (idle, busy) = db.in_use();
            let replicas: Vec<_> = db
                .replicas()
                .into_iter()
                .map(|replica| {
                    let lag_ms = replica.lag.map(|lag| lag.as_secs_f64() * 1000.0);
                    json!({ "status": if replica.is_well { "ok" } else { "left_out" }, "lag_ms": lag_ms })
                })
                .collect();
            let mut details = json!({ "connections": { "idle": idle, "busy": busy } });
            if db.pools_transactions() {
                details["pgbouncer"] = true.into();
            }
            if !replicas.is_empty() {
                details["replicas"] = replicas.into();
            }
            Ok(Some(details))
        })
    })
}

/// How full the queues are that hold something, or that a worker of the application works on.
fn queues(services: Arc<Services>) -> HealthFact {
    Arc::new(move || {
        let services = services.clone();
        Box::pin(async move {
            let stats = services.jobs.stats(&[]).await.ok()?;
            let one = |queue: crate::queue::QueueStats| {
                let waiting: serde_json::Map<String, Value> = Priority::ALL
                    .iter()
                    .zip(queue.waiting)
                    .map(|(priority, waiting)| (priority.as_str().to_owned(), waiting.into()))
                    .collect();
                json!({
                    "queue": queue.queue,
                    "waiting": waiting,
                    "running": queue.running,
                    "oldest_due_s": queue.oldest_due.unwrap_or_default().as_secs_f64(),
                    "dead_letters": queue.dead_letters,
                })
            };
            Some(stats.queues.into_iter().map(one).collect())
        })
    })
}

/// How the outbox is doing.
fn outbox(services: Arc<Services>) -> HealthFact {
    Arc::new(move || {
        let services = services.clone();
        Box::pin(async move {
            let stats = services.events.stats().await.ok()?;
            Some(json!({
                "pending": stats.depth,
                "oldest_s": stats.lag.as_secs_f64(),
                "held": stats.held,
                "parked": stats.parked,
            }))
        })
    })
}

/// Which migrations the main database has.
fn state_of(services: Arc<Services>, plan: Plan) -> HealthFact {
    Arc::new(move || {
        let (services, plan) = (services.clone(), plan.clone());
        Box::pin(async move {
            let all = plan.status(&services.db).await.ok()?;
            let names = |state: State| -> Vec<&str> {
                all.iter().filter(|one| one.state == state).map(|one| one.name.as_str()).collect()
            };
            let applied = all.iter().filter(|one| one.applied).count();
            Some(json!({ "applied": applied, "pending": names(State::Pending), "changed": names(State::Changed) }))
        })
    })
}
