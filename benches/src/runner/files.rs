//! Where results are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::result::{FORMAT, Results};
use crate::Result;

/// The newest results.
pub(crate) const LATEST: &str = "results-latest.json";

/// Returns the folder: the one that was said, or `benches/results`.
pub(crate) fn folder(said: Option<&Path>) -> PathBuf {
    let of_package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match said {
        Some(folder) => folder.to_owned(),
        None if of_package.is_dir() => of_package.join("results"),
        // Built elsewhere.
        None => PathBuf::from("results"),
    }
}

/// Returns the name of the file with the baseline of a class of machines.
pub(crate) fn baseline(class: &str) -> String {
    format!("baseline-{class}.json")
}

/// Writes results under their time and as the newest, and as the baseline where that is asked for. Returns what was written.
pub(crate) fn store(results: &Results, folder: &Path, is_baseline: bool) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string_pretty(results)? + "\n";
    let time: String = results.started_at.chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let mut names = vec![format!("results-{time}.json"), LATEST.to_owned()];
    if is_baseline {
        names.push(baseline(&results.machine.class));
    }
    let paths: Vec<PathBuf> = names.into_iter().map(|name| folder.join(name)).collect();
    paths.iter().try_for_each(|path| fs::write(path, &text))?;
    Ok(paths)
}

/// Reads results from where they are named, or from the folder.
///
/// # Errors
/// There is no such file, or it has another form.
pub(crate) fn read(path: &Path, folder: &Path) -> Result<Results> {
    let found = [path.to_owned(), folder.join(path)].into_iter().find(|path| path.is_file());
    let found = found.ok_or_else(|| format!("there is no `{}`, here or in `{}`", path.display(), folder.display()))?;
    let text = fs::read_to_string(&found)?;
    let results: Results =
        serde_json::from_str(&text).map_err(|error| format!("`{}` holds no results: {error}", found.display()))?;
    if results.format != FORMAT {
        let text = format!("`{}` has form {}, and this program reads {FORMAT}", found.display(), results.format);
        return Err(text.into());
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::result::Machine;

    fn results() -> Results {
        Results {
            format: FORMAT,
            started_at: "2026-11-29T06:45:17Z".to_owned(),
            machine: Machine { class: "amd-epyc-2c".to_owned(), ..Machine::default() },
            ..Results::default()
        }
    }

    #[test]
    fn results_are_read_as_they_were_stored() {
        let folder = tempfile::tempdir().unwrap();
        let paths = store(&results(), folder.path(), true).unwrap();
        let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["results-20261129T064517.json", LATEST, "baseline-amd-epyc-2c.json"]);
        assert_eq!(read(Path::new(LATEST), folder.path()).unwrap(), results());
        assert_eq!(read(&paths[2], Path::new("nowhere")).unwrap(), results());
    }

    #[test]
    fn another_form_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        store(&Results { format: FORMAT + 1, ..results() }, folder.path(), false).unwrap();
        assert!(read(Path::new(LATEST), folder.path()).unwrap_err().to_string().contains("form"));
        assert!(read(Path::new("absent.json"), folder.path()).is_err());
    }
}
