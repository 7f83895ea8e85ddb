//! Seeds as SQL files.

use std::path::Path;

use super::{Seed, Work};
use crate::{
    Error, Result,
    db::{migrate::checksum, scan},
};

/// Reads the seeds in a folder.
pub(super) fn read(folder: &Path) -> Result<Vec<Seed>> {
    let unreadable = |path: &Path, source: std::io::Error| {
        Error::new(500, "seed_files", format!("{} cannot be read", path.display())).caused_by(source)
    };
    let mut seeds = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
        let path = entry.map_err(|source| unreadable(folder, source))?.path();
        let Some(stem) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sql"))
        else {
            continue;
        };
        // A checkout with Windows line ends is the same seed.
        let text = std::fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?.replace("\r\n", "\n");
        if scan::controls_transactions(&text) {
            return Err(refused(format!(
                "`{stem}.sql` has BEGIN, COMMIT or ROLLBACK; leave them out: each seed is a transaction already"
            )));
        }
        if scan::is_empty(&text) {
            return Err(refused(format!("`{stem}.sql` has no statement yet; write one, or remove the file")));
        }
        let (name, repeats) = stem.strip_suffix(".repeat").map_or((stem, false), |name| (name, true));
        let checksum = checksum(&text);
        seeds.push(Seed { name: name.to_owned(), repeats, work: Work::Sql { text, checksum } });
    }
    Ok(seeds)
}

pub(super) fn refused(detail: String) -> Error {
    Error::new(500, "seed_files", detail)
}
