//! Where orders are: one of them, asked of a carrier that does not always answer, and all that wait, looked at now and then.

use bunbase::prelude::*;

use crate::orders::{Order, ShowOrder, SummariseOrders};

/// How many orders may wait before the log says so.
const MANY: i64 = 100;

/// Where a parcel is.
#[schema]
pub struct Parcel {
    /// The order's key.
    pub key: String,
    /// How many things are in it.
    pub pieces: i32,
}

/// Why nobody knows.
#[derive(ActionError, Debug)]
pub enum TrackError {
    /// The carrier does not answer. It is worth another attempt.
    #[error(status = 503, code = "carrier_away", "the carrier does not answer")]
    CarrierAway,
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// Says where an order is.
///
/// The carrier does not always answer at once. Over HTTP the attempts follow one another while the client waits, and `timeout` is for all of them.
#[action(get = "/orders/{key}/parcel", retry(attempts = 3, base = "20ms", max = "200ms"), timeout = "5s")]
pub async fn track_order(ctx: Ctx, key: String) -> Result<Parcel, TrackError> {
    let order = ctx.call(ShowOrder::new(key)).await.map_err(bunbase::Error::from)?;
    ask_carrier(order, ctx.attempt())
}

/// Stands for a carrier: it knows of `broken` never, and of `flaky` only at the second asking.
fn ask_carrier(order: Order, attempt: u32) -> Result<Parcel, TrackError> {
    let has = |sku: &str| order.items.iter().any(|item| item.sku == sku);
    if has("broken") || has("flaky") && attempt == 1 {
        return Err(TrackError::CarrierAway);
    }
    Ok(Parcel { key: order.key, pieces: order.items.iter().map(|item| item.quantity).sum() })
}

/// Says in the log when many orders wait.
#[action(every = "10s")]
pub async fn watch_backlog(ctx: Ctx) -> Result<()> {
    let waiting = ctx.call(SummariseOrders::new()).await?.pending;
    if waiting > MANY {
        tracing::warn!(waiting, "orders pile up");
    }
    Ok(())
}
