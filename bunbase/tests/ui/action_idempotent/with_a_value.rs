use bunbase::Result;

#[bunbase::action(post = "/primes", idempotent = true)]
async fn primes() -> Result<()> {
    Ok(())
}

fn main() {}
