use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create<T: Into<String>>(title: T) -> Result<()> {
    let _ = title.into();
    Ok(())
}

fn main() {}
