use bunbase::{Result, http::Upload};

#[bunbase::action(post = "/photos")]
async fn save(#[file] photo: Upload) -> Result<u64> {
    Ok(photo.size_bytes())
}

const _: () = bunbase::action::rules::job::<Save>();

fn main() {}
