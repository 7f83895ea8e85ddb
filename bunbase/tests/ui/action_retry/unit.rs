use bunbase::Result;

#[bunbase::action(post = "/mails", retry(base = "200"))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
