//! Products: looking at them, changing them, and quotes.

use bunbase::prelude::*;

bunbase::module!(name = "catalog", prefix = "/catalog", description = "Products and their prices.");

/// A product.
#[schema]
#[derive(PartialEq, Eq, FromQueryResult)]
pub struct Product {
    /// Its stock-keeping unit, which names it.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// Its price in cents.
    pub price_cents: i64,
    /// When it was changed last.
    pub changed_at: DateTimeUtc,
}

/// What some of a product costs.
#[schema]
pub struct Quote {
    /// The product.
    pub sku: String,
    /// How many.
    pub quantity: u32,
    /// The price of all in cents.
    pub total_cents: i64,
    /// Until when the price holds.
    pub valid_until: DateTimeUtc,
}

/// Why there is no product.
#[derive(ActionError, Debug)]
pub enum CatalogError {
    /// No product has this sku.
    #[error(status = 404, code = "product_missing", "there is no product `{0}`")]
    Missing(String),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

const LIST: &str = "SELECT sku, name, price_cents, changed_at FROM products ORDER BY sku";
const FIND: &str = "SELECT sku, name, price_cents, changed_at FROM products WHERE sku = $1 ORDER BY sku";
const PUT: &str = "INSERT INTO products (sku, name, price_cents, changed_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (sku) DO UPDATE SET name = $2, price_cents = $3, changed_at = $4";

async fn find(ctx: &Ctx, sku: &str) -> Result<Product, CatalogError> {
    let product: Option<Product> = ctx.sql(FIND).bind(sku).optional().await?;
    product.ok_or_else(|| CatalogError::Missing(sku.to_owned()))
}

/// Lists all products.
#[action(get = "/", cache(ttl = "1m", stale = "1m", tags = ["catalog"]))]
pub async fn list_products(ctx: Ctx) -> Result<Vec<Product>> {
    ctx.sql(LIST).all().await
}

/// Shows a product.
#[action(get = "/{sku}", tool, cache(ttl = "5m", stale = "1m", tags = ["product/{sku}"]))]
pub async fn show_product(
    ctx: Ctx,
    /// Its stock-keeping unit.
    #[validate(length(min = 1, max = 64))]
    sku: String,
) -> Result<Product, CatalogError> {
    find(&ctx, &sku).await
}

/// Says what some of a product costs; fifty times a minute for each client.
#[action(post = "/quote", guards = [rate_limit(50).per(MINUTE).by_ip()])]
pub async fn make_quote(
    ctx: Ctx,
    /// Its stock-keeping unit.
    #[validate(length(min = 1, max = 64))]
    sku: String,
    /// How many.
    #[default(1)]
    #[validate(range(min = 1, max = 10_000))]
    quantity: u32,
) -> Result<Quote, CatalogError> {
    let product = find(&ctx, &sku).await?;
    let total_cents = product.price_cents.saturating_mul(i64::from(quantity));
    Ok(Quote { sku, quantity, total_cents, valid_until: ctx.now() + DAY })
}

/// Adds or changes a product. Whoever looks at it next sees the change.
#[action(put = "/{sku}", guards = [api_key()])]
pub async fn put_product(
    ctx: Ctx,
    /// Its stock-keeping unit.
    #[validate(length(min = 1, max = 64))]
    sku: String,
    /// What it is called.
    #[validate(length(min = 1, max = 200))]
    name: String,
    /// Its price in cents.
    #[validate(range(min = 0, max = 1_000_000_000))]
    price_cents: i64,
) -> Result<Product> {
    let product = Product { sku, name, price_cents, changed_at: ctx.now() };
    ctx.transaction(async |tx| {
        let statement = tx.sql(PUT).bind(&*product.sku).bind(&*product.name).bind(product.price_cents);
        statement.bind(product.changed_at).execute().await?;
        tx.invalidate(["catalog".to_owned(), format!("product/{}", product.sku)]);
        Ok(())
    })
    .await?;
    Ok(product)
}
