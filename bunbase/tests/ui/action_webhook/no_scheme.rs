use bunbase::Result;

#[bunbase::action(webhook = "/webhooks/stripe", verify = "secret")]
async fn on_payment() -> Result<()> {
    Ok(())
}

fn main() {}
