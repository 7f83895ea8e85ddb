//! What a handler reaches for: `kv`, `rate-limited`, `queue`, `events`.

use bunbase::prelude::*;

/// What is kept under a key.
#[schema]
pub(crate) struct Kept {
    text: String,
    number: i64,
}

/// Says what is kept.
#[action(get = "/kv/{key}")]
async fn find_kept(ctx: Ctx, key: String) -> Result<Option<Kept>> {
    ctx.kv().get(&key).await
}

/// Keeps something for an hour.
#[action(put = "/kv/{key}")]
async fn keep(ctx: Ctx, #[path] key: String, text: String, number: i64) -> Result<Kept> {
    let kept = Kept { text, number };
    ctx.kv().set(&key, &kept, HOUR).await?;
    Ok(kept)
}

/// By whom calls are counted.
#[expect(clippy::unnecessary_wraps, reason = "a limit asks for it")]
fn tenant(ctx: &Ctx) -> Result<String> {
    let tenant = ctx.request().and_then(|request| request.header("x-tenant"));
    Ok(tenant.unwrap_or("nobody").to_owned())
}

/// Lets through whoever comes: the limit is there, and never reached.
#[action(get = "/limited", guards = [rate_limit(1_000_000_000).per(MINUTE).by_key(tenant)])]
async fn limited() -> Result<bool> {
    Ok(true)
}

/// Does nothing.
#[action]
async fn work(n: i64) -> Result<()> {
    let _ = n;
    Ok(())
}

/// Stores a job.
#[action(post = "/enqueue")]
async fn enqueue_work(ctx: Ctx, n: i64) -> Result<bool> {
    ctx.enqueue(Work::new(n)).await?;
    Ok(true)
}

/// Something has happened.
#[event("bench.happened")]
pub(crate) struct Happened {
    n: i64,
}

/// Hears of it.
#[action(event = Happened)]
async fn hear(n: i64) -> Result<()> {
    let _ = n;
    Ok(())
}

/// Emits an event.
#[action(post = "/emit")]
async fn emit_happened(ctx: Ctx, n: i64) -> Result<bool> {
    ctx.emit_event(&Happened { n }).await?;
    Ok(true)
}

/// Makes more series, so that a scrape is as long as one of a real application: `metrics-export`.
#[action(post = "/series")]
async fn make_series(ctx: Ctx, #[validate(range(max = 10_000))] count: u32) -> Result<bool> {
    let counter = ctx.metrics().counter("bench_things", "Things that were counted");
    for n in 0..count {
        counter.inc(&[("thing", &format!("thing-{n}"))]);
    }
    Ok(true)
}
