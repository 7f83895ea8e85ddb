use bunbase::Result;

#[bunbase::action(post = "/primes", priority = urgent)]
async fn primes() -> Result<()> {
    Ok(())
}

fn main() {}
