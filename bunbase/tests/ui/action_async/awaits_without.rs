use bunbase::Result;

#[bunbase::action(get = "/tasks")]
fn list_tasks() -> Result<()> {
    std::future::ready(()).await;
    Ok(())
}

fn main() {}
