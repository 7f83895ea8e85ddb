use bunbase::{Result, http::Upload};

#[bunbase::schema]
pub struct Save {
    #[file]
    pub photo: Upload,
}

#[bunbase::action(post = "/photos", tool)]
async fn save(input: Save) -> Result<u64> {
    Ok(input.photo.size_bytes())
}

fn main() {}
