use bunbase::Result;

#[bunbase::action(post = "/mails", retry(atempts = 3))]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
