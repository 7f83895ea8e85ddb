use bunbase::{Result, http::Upload};

#[bunbase::action(
    event = "Photo Taken",
    cron = "0 2 * *",
    every("0s", missed = never),
    webhook = "/photos",
    tool = "",
    retry(attempts = 0, tries = 3),
    idempotent(true),
    queue = "",
    priority = urgent
)]
fn save(#[file] photo: Upload, name: String) -> Result<u64> {
    Ok(photo.size_bytes() + name.len() as u64)
}

fn main() {}
