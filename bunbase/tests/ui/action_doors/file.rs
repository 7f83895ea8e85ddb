use bunbase::{Result, http::Upload};

#[bunbase::action(post = "/photos", event = "photo.taken")]
async fn save(#[file] photo: Upload) -> Result<u64> {
    Ok(photo.size_bytes())
}

fn main() {}
