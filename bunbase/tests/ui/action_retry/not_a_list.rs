use bunbase::Result;

#[bunbase::action(post = "/mails", retry = 3)]
async fn send() -> Result<()> {
    Ok(())
}

fn main() {}
