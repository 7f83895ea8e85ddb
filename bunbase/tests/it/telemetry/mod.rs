//! What a collector gets: whole traces over HTTP, jobs and events, and what happens when it is not there.

mod context;
mod encrypted;
mod failing;
#[cfg(feature = "reqwest")]
mod outgoing;
pub(crate) mod receiver;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "mcp")]
mod tools;
mod whole;

use std::sync::LazyLock;

use bunbase::prelude::*;
use tokio::sync::watch;

bunbase::module!(name = "telemetry", prefix = "/t/telemetry");

/// How many orders somebody was told of.
static TOLD: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// Takes an order, and has it shipped.
#[action(post = "/orders")]
async fn order(ctx: Ctx, number: i64) -> Result<()> {
    let () = ctx.call(Check::new(number)).await.map_err(bunbase::Error::from)?;
    ctx.enqueue(Ship::new(number)).await?;
    Ok(())
}

/// Looks into the database.
#[action]
async fn check(ctx: Ctx, number: i64) -> Result<()> {
    ctx.sql("SELECT 'hunter2' WHERE $1 > 0").bind(number).execute().await?;
    Ok(())
}

/// Ships an order, and says so.
#[action]
async fn ship(ctx: Ctx, number: i64) -> Result<()> {
    ctx.emit("telemetry.shipped", &serde_json::json!({ "number": number })).await?;
    Ok(())
}

/// Hears that an order was shipped.
#[action(event = "telemetry.shipped")]
async fn tell(number: i64) -> Result<()> {
    TOLD.send_modify(|count| *count += usize::try_from(number.signum()).unwrap());
    Ok(())
}

/// Fails, or refuses.
#[action(get = "/fail/{status}")]
async fn fail(status: u16) -> Result<()> {
    Err(bunbase::Error::new(status, "asked_for", "as you wish"))
}
