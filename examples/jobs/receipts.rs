//! Receipts: what follows an event, in a job of its own.

use bunbase::prelude::*;

use crate::fulfil::OrderFulfilled;

/// Writes the receipt of an order that was fulfilled.
///
/// An event reaches each of its subscribers at least once, so the receipt is written under the order's key: a second time changes nothing.
/// A real one would hand the key to the mail provider as its idempotency key.
#[action(event = OrderFulfilled, retry(attempts = 10, base = "1s", max = "10m"), queue = "mail")]
pub async fn send_receipt(ctx: Ctx, input: OrderFulfilled) -> Result<()> {
    ctx.sql("INSERT INTO receipts (order_key, sent_at) VALUES ($1, $2) ON CONFLICT (order_key) DO NOTHING")
        .bind(input.key)
        .bind(ctx.now())
        .execute()
        .await?;
    Ok(())
}
