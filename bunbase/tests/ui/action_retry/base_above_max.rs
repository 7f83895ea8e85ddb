use bunbase::Result;

#[bunbase::action(post = "/mails", retry(base = "10s", max = "5s"))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
