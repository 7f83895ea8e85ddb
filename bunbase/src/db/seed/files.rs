//! Seeds as SQL files.

use std::path::Path;

use super::{Seed, Work};
use crate::{
    Error, Result,
    db::{migrate, scan},
};

/// The code of what is wrong with the files.
const CODE: &str = "seed_files";

/// Reads the seeds in a folder.
pub(super) fn read(folder: &Path) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (stem, text) in migrate::texts(folder, "seed", CODE)? {
        if scan::is_empty(&text) {
            return Err(refused(format!("`{stem}.sql` has no statement yet; write one, or remove the file")));
        }
        let (name, repeats) = stem.strip_suffix(".repeat").map_or((&*stem, false), |name| (name, true));
        let checksum = migrate::checksum(&text);
        seeds.push(Seed { name: name.to_owned(), repeats, work: Work::Sql { text, checksum } });
    }
    Ok(seeds)
}

pub(super) fn refused(detail: String) -> Error {
    Error::new(500, CODE, detail)
}
