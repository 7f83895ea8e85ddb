use bunbase::Result;

#[bunbase::action(post = "/mails", retry(attempts = 3, attempts = 4))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
