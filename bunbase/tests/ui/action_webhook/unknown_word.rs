use bunbase::{
    Result,
    webhook::{Delivery, Verify},
};

struct Open;

impl Verify for Open {
    fn verify(&self, _delivery: &Delivery<'_>) -> Result<String> {
        Ok(String::new())
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

#[bunbase::action(webhook("/webhooks/stripe", secret = "a"))]
async fn on_payment() -> Result<()> {
    let _ = Open;
    Ok(())
}

fn main() {}
