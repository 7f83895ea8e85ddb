//! A tag is made of fields that there are.

/// Shows a product.
#[bunbase::action(get = "/products/{sku}", cache(ttl = "5m", tags = ["product/{sk}", "all/{"]))]
async fn show(sku: String) -> bunbase::Result<String> {
    Ok(sku)
}

fn main() {}
