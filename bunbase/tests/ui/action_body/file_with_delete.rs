use bunbase::Result;

#[bunbase::action(delete = "/tasks")]
async fn remove(#[file] proof: String) -> Result<String> {
    Ok(proof)
}

fn main() {}
