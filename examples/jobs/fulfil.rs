//! Fulfilling an order: a job that may run more than once, and has its effect once.

use bunbase::prelude::*;

use crate::orders::Item;

/// An order is on its way.
#[event("order.fulfilled")]
pub struct OrderFulfilled {
    /// The order's key.
    pub key: String,
}

/// Why an attempt fails.
#[derive(ActionError, Debug)]
pub enum FulfilError {
    /// The warehouse does not answer. It is worth another attempt.
    #[error(status = 503, code = "warehouse_away", "the warehouse does not have `{0}` ready")]
    WarehouseAway(String),
    /// The order is gone: nothing to do, now or later.
    #[error(status = 404, code = "order_missing", retry = never, "there is no order `{0}`")]
    Missing(String),
    #[error(internal)]
    Json(#[from] serde_json::Error),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// Fulfils an order. Only ever a job: it has no door of its own.
#[action(retry(attempts = 4, base = "100ms", max = "2s"))]
pub async fn fulfil_order(ctx: Ctx, key: String) -> Result<(), FulfilError> {
    let counted =
        ctx.sql("UPDATE orders SET attempts = attempts + 1 WHERE key = $1").bind(key.clone()).execute().await?;
    if counted == 0 {
        return Err(FulfilError::Missing(key));
    }
    let items: String = ctx.sql("SELECT items FROM orders WHERE key = $1").bind(key.clone()).scalar().await?;
    let items: Vec<Item> = serde_json::from_str(&items)?;
    for item in &items {
        pick(item, ctx.attempt())?;
    }
    // The row, the ledger and the event change together. A worker that dies after this has done it, and its successor sees so.
    ctx.transaction(async |tx| {
        let first = tx
            .sql("UPDATE orders SET fulfilled_at = $2 WHERE key = $1 AND fulfilled_at IS NULL")
            .bind(key.clone())
            .bind(ctx.now())
            .execute()
            .await?;
        if first == 1 {
            let quantity: i64 = items.iter().map(|item| i64::from(item.quantity)).sum();
            tx.sql("INSERT INTO ledger (order_key, quantity, written_at) VALUES ($1, $2, $3)")
                .bind(key.clone())
                .bind(quantity)
                .bind(ctx.now())
                .execute()
                .await?;
            tx.emit_event(&OrderFulfilled { key: key.clone() }).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Stands for a warehouse: it never has `broken`, and `flaky` only at the second asking.
fn pick(item: &Item, attempt: u32) -> Result<(), FulfilError> {
    match item.sku.as_str() {
        "broken" => Err(FulfilError::WarehouseAway(item.sku.clone())),
        "flaky" if attempt == 1 => Err(FulfilError::WarehouseAway(item.sku.clone())),
        _ => Ok(()),
    }
}
