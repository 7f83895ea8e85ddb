//! Orders: taking one, and looking at what became of it.

use bunbase::{prelude::*, sea_orm::FromQueryResult};

use crate::fulfil::FulfilOrder;

/// One line of an order.
#[schema]
pub struct Item {
    /// What.
    #[validate(length(min = 1, max = 50))]
    pub sku: String,
    /// How many.
    #[validate(range(min = 1, max = 1000))]
    pub quantity: i32,
}

/// Where an order stands.
#[schema(rename_all = "snake_case")]
#[derive(Copy, PartialEq, Eq)]
pub enum OrderState {
    /// Its job waits, runs, or waits for its next attempt.
    Pending,
    /// It is on its way.
    Fulfilled,
    /// Its job is among the dead letters.
    Failed,
}

/// An order.
#[schema]
pub struct Order {
    /// The caller's own key of it.
    pub key: String,
    /// Where it stands.
    pub state: OrderState,
    /// How often its fulfilment was tried.
    pub attempts: i32,
    /// What was ordered.
    pub items: Vec<Item>,
    /// When it was taken.
    pub placed_at: DateTimeUtc,
}

/// An order was taken.
#[event("order.placed")]
pub struct OrderPlaced {
    /// The order's key.
    pub key: String,
}

/// Why an order is not there.
#[derive(ActionError, Debug)]
pub enum OrderError {
    /// No order has this key.
    #[error(status = 404, code = "order_missing", "there is no order `{0}`")]
    Missing(String),
    #[error(internal)]
    Json(#[from] serde_json::Error),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// Takes an order.
///
/// The order, the job that fulfils it and the event that tells of it are stored together. The same key again is the same order.
#[action(post = "/orders", status = 201)]
pub async fn place_order(
    ctx: Ctx,
    /// The caller's own key of it.
    #[validate(length(min = 1, max = 100))]
    key: String,
    /// What is ordered.
    #[validate(length(min = 1, max = 50))]
    items: Vec<Item>,
) -> Result<Created<Order>, OrderError> {
    let text = serde_json::to_string(&items)?;
    ctx.transaction(async |tx| {
        let added = tx
            .sql("INSERT INTO orders (key, items, placed_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING")
            .bind(key.clone())
            .bind(text.clone())
            .bind(ctx.now())
            .execute()
            .await?;
        if added == 1 {
            let job = tx.enqueue(FulfilOrder::new(key.clone())).unique_key(&key).await?;
            tx.sql("UPDATE orders SET job_id = $2 WHERE key = $1").bind(key.clone()).bind(job.id).execute().await?;
            tx.emit_event(&OrderPlaced { key: key.clone() }).await?;
        }
        Ok(())
    })
    .await?;
    let order = find(&ctx, &key).await?;
    Ok(Created::at(format!("/orders/{key}"), order))
}

/// Shows an order.
#[action(get = "/orders/{key}")]
pub async fn show_order(ctx: Ctx, key: String) -> Result<Order, OrderError> {
    find(&ctx, &key).await
}

#[derive(FromQueryResult)]
struct Row {
    key: String,
    items: String,
    attempts: i32,
    placed_at: DateTimeUtc,
    is_fulfilled: bool,
    is_failed: bool,
}

/// The dead letters are a table of the same database, so whether an order is among them is a join.
const FIND: &str = "SELECT key, items, orders.attempts, placed_at, fulfilled_at IS NOT NULL AS is_fulfilled,
        job_failures.id IS NOT NULL AS is_failed
    FROM orders LEFT JOIN job_failures ON job_failures.id = orders.job_id WHERE key = $1";

async fn find(ctx: &Ctx, key: &str) -> Result<Order, OrderError> {
    let row: Option<Row> = ctx.sql(FIND).bind(key).optional().await?;
    let row = row.ok_or_else(|| OrderError::Missing(key.to_owned()))?;
    let state = match (row.is_fulfilled, row.is_failed) {
        (true, _) => OrderState::Fulfilled,
        (false, true) => OrderState::Failed,
        (false, false) => OrderState::Pending,
    };
    let items = serde_json::from_str(&row.items)?;
    Ok(Order { key: row.key, state, attempts: row.attempts, items, placed_at: row.placed_at })
}

/// All orders, counted.
#[schema]
#[derive(FromQueryResult)]
pub struct Summary {
    /// How many orders there are.
    pub total: i64,
    /// How many are being worked on.
    pub pending: i64,
    /// How many are on their way.
    pub fulfilled: i64,
    /// How many ended among the dead letters.
    pub failed: i64,
    /// How many were fulfilled more than once: never any.
    pub duplicate_effects: i64,
}

const SUMMARISE: &str = "SELECT total, total - fulfilled - failed AS pending, fulfilled, failed, duplicate_effects FROM
    (SELECT count(*) AS total, count(fulfilled_at) AS fulfilled FROM orders) AS counted,
    (SELECT count(*) AS failed FROM orders JOIN job_failures ON job_failures.id = orders.job_id
        WHERE fulfilled_at IS NULL) AS dead,
    (SELECT count(*) AS duplicate_effects FROM
        (SELECT order_key FROM ledger GROUP BY order_key HAVING count(*) > 1) AS twice) AS doubled";

/// Counts all orders.
#[action(get = "/orders/summary")]
pub async fn summarise_orders(ctx: Ctx) -> Result<Summary> {
    ctx.sql(SUMMARISE).one().await
}
