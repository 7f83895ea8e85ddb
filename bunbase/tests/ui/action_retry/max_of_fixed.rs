use bunbase::Result;

#[bunbase::action(post = "/mails", retry(backoff = fixed, base = "1s", max = "5s"))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
