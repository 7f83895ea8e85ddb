use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list() -> Result<()> {
    let held = std::rc::Rc::new(1);
    std::future::ready(()).await;
    let _ = held;
    Ok(())
}

fn main() {}
