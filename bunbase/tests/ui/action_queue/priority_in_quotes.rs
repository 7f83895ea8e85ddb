use bunbase::Result;

#[bunbase::action(post = "/primes", priority = "high")]
async fn primes() -> Result<()> {
    Ok(())
}

fn main() {}
