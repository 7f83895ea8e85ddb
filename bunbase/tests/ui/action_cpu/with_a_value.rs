use bunbase::Result;

#[bunbase::action(post = "/primes", cpu = 2)]
async fn primes() -> Result<()> {
    Ok(())
}

fn main() {}
