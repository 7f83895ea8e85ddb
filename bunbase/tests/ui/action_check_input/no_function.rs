use bunbase::{Result, context::Ctx};

fn other(_ctx: &Ctx) {}

#[bunbase::action(post = "/tasks", check_input = check)]
async fn create(title: String) -> Result<String> {
    Ok(title)
}

fn main() {}
