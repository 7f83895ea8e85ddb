use bunbase::Result;

#[bunbase::action(post = "/mails", retry(attempts = 0))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
