use bunbase::Result;

#[bunbase::action(post = "/mails", retry(backoff = linear))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
