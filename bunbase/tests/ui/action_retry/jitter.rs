use bunbase::Result;

#[bunbase::action(post = "/mails", retry(jitter = "full"))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
