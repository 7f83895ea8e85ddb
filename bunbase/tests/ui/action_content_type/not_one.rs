use bunbase::Result;
use bunbase::action::Text;

#[bunbase::action(get = "/tasks", content_type = "csv")]
async fn list() -> Result<Text> {
    Ok("a;b".into())
}

fn main() {}
