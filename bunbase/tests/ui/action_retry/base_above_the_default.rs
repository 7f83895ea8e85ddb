use bunbase::Result;

#[bunbase::action(post = "/mails", retry(base = "1m"))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
