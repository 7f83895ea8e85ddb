use bunbase::{Result, context::Ctx};

async fn check(_ctx: Ctx, _input: Create) -> Result<()> {
    Ok(())
}

#[bunbase::action(post = "/tasks", check_input = check)]
async fn create(title: String) -> Result<String> {
    Ok(title)
}

fn main() {}
