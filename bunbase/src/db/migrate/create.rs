//! A new SQL migration: two files with the time in their names.

use std::{
    fmt,
    io::Write,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{Plan, files::number_of};
use crate::{Error, Result};

/// Where SQL migrations are, unless the application says otherwise.
const FOLDER: &str = "migrations";

/// The longest name; the file's name is longer by the time and the ending.
const LONGEST: usize = 100;

const UP: &str = "\
-- One transaction: leave out BEGIN and COMMIT. What is for one engine stands behind a line `-- sqlite` or `-- postgres`,
-- up to `-- all`. Once this is applied it must stay as it is.

";
const DOWN: &str = "-- Undoes the migration of the same name; without a statement here it cannot be undone.\n\n";

/// What [`Plan::create`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// The migration, to be written.
    pub up: PathBuf,
    /// What undoes it, to be written or removed.
    pub down: PathBuf,
    /// The folder, where the plan does not read it yet: [`App::sql_migrations`](crate::app::App::sql_migrations) has it read.
    pub unread: Option<PathBuf>,
}

impl fmt::Display for Created {
    /// One line for each file, and one that says what is left to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "made  {}", self.up.display())?;
        writeln!(f, "made  {}", self.down.display())?;
        match &self.unread {
            Some(folder) => {
                writeln!(
                    f,
                    "to have it run, add `.sql_migrations({:?})` to the application",
                    folder.display().to_string()
                )
            }
            None => Ok(()),
        }
    }
}

pub(super) fn create(plan: &Plan, name: &str, at: DateTime<Utc>) -> Result<Created> {
    check_name(name)?;
    let (folder, is_read) = match (&plan.sql_dir, &plan.rust) {
        (Some(folder), _) => (folder.clone(), true),
        (None, None) => (PathBuf::from(FOLDER), false),
        (None, Some(_)) => {
            return Err(Error::new(
                400,
                "migration_folder",
                format!(
                    "the migrations of this application are in Rust: add one to its `Migrator`; for SQL files beside them, which run \
                     after those in Rust, add `.sql_migrations(\"{FOLDER}\")` to the application first"
                ),
            ));
        }
    };
    std::fs::create_dir_all(&folder).map_err(|source| not_made(&folder, source))?;
    let number = at.format("%Y%m%d%H%M%S").to_string();
    let stem = format!("{number}_{name}");
    check_place(&folder, name, &stem)?;
    let (up, down) = (folder.join(format!("{stem}.sql")), folder.join(format!("{stem}.down.sql")));
    write_new(&up, UP)?;
    write_new(&down, DOWN)?;
    Ok(Created { up, down, unread: (!is_read).then_some(folder) })
}

fn check_name(name: &str) -> Result<()> {
    let begins = name.starts_with(|sign: char| sign.is_ascii_lowercase());
    let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if begins && rest && name.len() <= LONGEST {
        return Ok(());
    }
    Err(Error::new(
        400,
        "migration_name",
        format!(
            "`{}` is no name for a migration: small letters, digits and underscores, a letter first, at most {LONGEST}, such as \
             `create_task`",
            name.escape_debug()
        ),
    ))
}

/// Makes sure that no other migration has the name or the number, and that the new one is the last.
fn check_place(folder: &Path, name: &str, stem: &str) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|source| not_made(folder, source))? {
        let entry = entry.map_err(|source| not_made(folder, source))?.file_name();
        let Some(other) = entry.to_str().and_then(|entry| entry.strip_suffix(".sql")) else { continue };
        let other = other.strip_suffix(".down").unwrap_or(other);
        if other.split_once('_').is_some_and(|(_, other)| other == name) {
            let text = format!("`{other}.sql` in {} has this name already; take another", folder.display());
            return Err(Error::new(409, "migration_exists", text));
        }
        if number_of(other).is_some() && (other > stem || number_of(other) == number_of(stem)) {
            let text = format!(
                "`{other}.sql` would come after `{stem}.sql`, which is made now; give it an earlier number, or wait"
            );
            return Err(Error::new(409, "migration_exists", text));
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = std::fs::File::create_new(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| not_made(path, source))
}

fn not_made(path: &Path, source: std::io::Error) -> Error {
    Error::new(500, "migration_files", format!("{} cannot be made", path.display())).caused_by(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_new_migration_has_its_time_and_its_name_and_is_the_last() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("0001_task.sql"), "SELECT 1").unwrap();
        let plan = Plan::new().sql_dir(folder.path());
        let made = plan.create("create_note", at("2026-11-28T17:05:09Z")).unwrap();
        assert_eq!(made.up, folder.path().join("20261128170509_create_note.sql"));
        assert_eq!(made.down, folder.path().join("20261128170509_create_note.down.sql"));
        assert_eq!(made.unread, None);
        let files = plan.files().unwrap();
        assert_eq!(
            files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["0001_task", "20261128170509_create_note"]
        );
    }

    #[test]
    fn names_that_are_bad_or_taken_and_files_that_would_come_later_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan::new().sql_dir(folder.path().join("sql"));
        let now = at("2026-11-28T17:05:09Z");
        for bad in ["", "Task", "1_task", "a-b", "a b", "../task", "täsk", "a.sql", &"a".repeat(101)] {
            assert_eq!(plan.create(bad, now).unwrap_err().code(), "migration_name", "{bad}");
        }
        plan.create("task", now).unwrap();
        let taken = plan.create("task", at("2027-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(taken.code(), "migration_exists");
        assert!(taken.detail().contains("20261128170509_task.sql"), "{taken}");
        for earlier in [now, at("2026-11-28T17:05:08Z")] {
            let error = plan.create("note", earlier).unwrap_err();
            assert!(error.detail().contains("20261128170509_task.sql"), "{error}");
        }
    }
}
