use bunbase::Result;

#[bunbase::action(post = "/primes", queue = "mail box")]
async fn primes() -> Result<()> {
    Ok(())
}

fn main() {}
