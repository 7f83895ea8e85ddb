use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create(title: &str) -> Result<()> {
    let _ = title;
    Ok(())
}

fn main() {}
