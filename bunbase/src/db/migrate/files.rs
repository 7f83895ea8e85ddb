//! Migrations as SQL files.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use chrono::Utc;
use sea_orm::{ConnectionTrait, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, Statement, TransactionTrait};
use sea_orm_migration::SchemaManager;
use sha2::{Digest, Sha256};

use super::{Migration, Source, State, again, rust::failed, trial::with_values};
use crate::{
    Error, Result,
    db::{Sql, scan},
};

/// The code of what is wrong with the files.
const CODE: &str = "migration_files";

const TABLE: &str = "bunbase_sql_migrations";

/// `applied_at` is in seconds since 1970, as in SeaORM's own table.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS bunbase_sql_migrations
    (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
const APPLIED: &str = "SELECT name, checksum FROM bunbase_sql_migrations ORDER BY name";
const RECORD: &str = "INSERT INTO bunbase_sql_migrations (name, checksum, applied_at) VALUES ($1, $2, $3)";
const FORGET: &str = "DELETE FROM bunbase_sql_migrations WHERE name = $1";
const ADOPT: &str = "UPDATE bunbase_sql_migrations SET checksum = $1 WHERE name = $2 AND checksum = ''";

/// One migration: `name.sql`, and `name.down.sql` if there is one.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    up: String,
    down: Option<String>,
    checksum: String,
}

#[derive(sea_orm::FromQueryResult)]
struct Applied {
    name: String,
    checksum: String,
}

impl Applied {
    fn is_of(&self, file: &File) -> bool {
        self.checksum.is_empty() || self.checksum == file.checksum
    }
}

/// Reads the SQL files in a folder: their names without `.sql`, and their texts. `each` is what one of them is; mistakes have the code.
pub(in crate::db) fn texts(folder: &Path, each: &str, code: &'static str) -> Result<Vec<(String, String)>> {
    let unreadable = |path: &Path, source: std::io::Error| {
        Error::new(500, code, format!("{} cannot be read", path.display())).caused_by(source)
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))? {
        let path = entry.map_err(|source| unreadable(folder, source))?.path();
        let Some(stem) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sql"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).map_err(|source| unreadable(&path, source))?;
        // A checkout with Windows line ends is the same one.
        let text = text.replace("\r\n", "\n");
        if scan::controls_transactions(&text) {
            let detail = format!(
                "`{stem}.sql` has BEGIN, COMMIT or ROLLBACK; leave them out: each {each} is a transaction already"
            );
            return Err(Error::new(500, code, detail));
        }
        texts.push((stem.to_owned(), text));
    }
    Ok(texts)
}

/// Reads the migrations in a folder, in order.
pub(super) fn read(folder: &Path) -> Result<Vec<File>> {
    let (mut ups, mut downs) = (BTreeMap::new(), BTreeMap::new());
    for (stem, text) in texts(folder, "file", CODE)? {
        match stem.strip_suffix(".down") {
            Some(name) => downs.insert(name.to_owned(), text),
            None => ups.insert(stem, text),
        };
    }
    let mut files: Vec<File> = Vec::with_capacity(ups.len());
    for (name, up) in ups {
        let number = number_of(&name).ok_or_else(|| {
            refused(format!("`{name}.sql` is not named like a migration; write `0001_what_it_does.sql`"))
        })?;
        if let Some(before) = files.last().filter(|file| number_of(&file.name) == Some(number)) {
            return Err(refused(format!(
                "`{}.sql` and `{name}.sql` have one number; give one of them the next",
                before.name
            )));
        }
        let checksum = checksum(&up);
        files.push(File { down: downs.remove(&name), name, up, checksum });
    }
    match downs.keys().next() {
        Some(name) => Err(refused(format!("`{name}.down.sql` undoes `{name}.sql`, which does not exist"))),
        None => Ok(files),
    }
}

/// What the files are beside a database.
#[derive(Debug)]
pub(super) struct Compared<'f> {
    /// To be applied, in order.
    pub(super) pending: Vec<&'f File>,
    /// Applied before a checksum was kept of it; that of the file is taken for it.
    unsigned: Vec<&'f File>,
}

impl Compared<'_> {
    pub(super) fn is_done(&self) -> bool {
        self.pending.is_empty() && self.unsigned.is_empty()
    }
}

pub(super) async fn up(connection: &DatabaseExecutor<'_>, files: &[File]) -> Result<Vec<String>> {
    let Compared { pending, unsigned } = compare(connection, files).await?;
    for file in unsigned {
        Sql::new(connection, ADOPT).bind(file.checksum.as_str()).bind(file.name.as_str()).execute().await?;
        tracing::info!(migration = file.name, "its checksum is kept from now on");
    }
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    connection.execute_unprepared(CREATE).await?;
    for file in &pending {
        let transaction = connection.begin().await?;
        let sql = part_for(connection.get_database_backend(), &file.up);
        run(&transaction, &sql).await.map_err(|source| failed(&file.name, source))?;
        Sql::new(&transaction, RECORD)
            .bind(file.name.as_str())
            .bind(file.checksum.as_str())
            .bind(Utc::now().timestamp())
            .execute()
            .await?;
        transaction.commit().await.map_err(|source| failed(&file.name, source))?;
    }
    Ok(pending.into_iter().map(|file| file.name.clone()).collect())
}

pub(super) async fn down(connection: &DatabaseExecutor<'_>, files: &[File], steps: u32) -> Result<Vec<String>> {
    let applied = applied(connection).await?;
    let mut undone = Vec::new();
    for Applied { name, .. } in applied.into_iter().rev().take(steps as usize) {
        let file = files.iter().find(|file| file.name == name);
        let Some(sql) = file.and_then(|file| file.down.as_deref()).filter(|sql| !scan::is_empty(sql)) else {
            return Err(Error::new(
                500,
                "migration_irreversible",
                format!("`{name}` cannot be undone: there is no `{name}.down.sql` with a statement in it"),
            ));
        };
        let transaction = connection.begin().await?;
        let sql = part_for(connection.get_database_backend(), sql);
        run(&transaction, &sql).await.map_err(|source| failed(&name, source))?;
        Sql::new(&transaction, FORGET).bind(name.as_str()).execute().await?;
        transaction.commit().await.map_err(|source| failed(&name, source))?;
        undone.push(name);
    }
    Ok(undone)
}

pub(super) async fn status(connection: &DatabaseExecutor<'_>, files: &[File]) -> Result<Vec<Migration>> {
    let applied = applied(connection).await?;
    let state = |file: &File| match applied.iter().find(|one| one.name == file.name) {
        Some(one) if one.is_of(file) => State::Applied,
        Some(_) => State::Changed,
        None => State::Pending,
    };
    Ok(files.iter().map(|file| Migration::new(Source::Sql, file.name.clone(), state(file))).collect())
}

/// Returns what is to be done, once it is clear that the files are those which were applied before.
pub(super) async fn compare<'f>(connection: &DatabaseExecutor<'_>, files: &'f [File]) -> Result<Compared<'f>> {
    let mut pending: BTreeMap<&str, &File> = files.iter().map(|file| (file.name.as_str(), file)).collect();
    let (mut unsigned, mut changed, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for one in applied(connection).await? {
        match pending.remove(one.name.as_str()) {
            Some(file) if one.checksum.is_empty() => unsigned.push(file),
            Some(file) if one.is_of(file) => {}
            Some(_) => changed.push(format!("`{}.sql`", one.name)),
            None => missing.push(one.name),
        }
    }
    if !changed.is_empty() {
        let (names, were) = (changed.join(", "), if changed.len() == 1 { "was" } else { "were" });
        return Err(Error::new(
            500,
            "migration_changed",
            format!(
                "{names} {were} applied and has changed since, so nothing was run; put the text back as it was, and write what is \
                 to be different into another migration (`migrate new NAME` makes one)"
            ),
        ));
    }
    if !missing.is_empty() && !pending.is_empty() {
        return Err(Error::new(
            500,
            "migration_missing",
            format!("these migrations were applied and have no file any more: {}", missing.join(", ")),
        ));
    }
    if !missing.is_empty() {
        // An older instance that starts again while a newer version is rolled out.
        tracing::warn!(unknown = ?missing, "the database has migrations that have no file here");
    }
    if let Some(file) = pending.values().find(|file| scan::is_empty(&file.up)) {
        return Err(refused(format!("`{}.sql` has no statement yet; write one, or remove the file", file.name)));
    }
    Ok(Compared { pending: pending.into_values().collect(), unsigned })
}

/// Returns what applying a file does besides its own text, and that text: what `migrate plan` shows.
pub(super) fn script(backend: DbBackend, file: &File, makes_table: bool) -> Vec<String> {
    let values = [file.name.as_str().into(), file.checksum.as_str().into(), Utc::now().timestamp().into()];
    let record = with_values(&Statement::from_sql_and_values(backend, RECORD, values));
    let table = makes_table.then(|| CREATE.to_owned());
    table.into_iter().chain([part_for(backend, &file.up), record]).collect()
}

pub(super) async fn has_table(connection: &DatabaseExecutor<'_>) -> Result<bool> {
    Ok(SchemaManager::new(again(connection)).has_table(TABLE).await?)
}

async fn applied(connection: &DatabaseExecutor<'_>) -> Result<Vec<Applied>> {
    if !has_table(connection).await? {
        return Ok(Vec::new());
    }
    Sql::new(connection, APPLIED).all().await
}

pub(in crate::db) async fn run(transaction: &DatabaseTransaction, sql: &str) -> Result<(), DbErr> {
    if sql.trim().is_empty() {
        return Ok(());
    }
    transaction.execute_unprepared(sql).await.map(drop)
}

/// Returns the lines of `text` that are for `backend`.
pub(in crate::db) fn part_for(backend: DbBackend, text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut keep = true;
    for line in text.lines() {
        match line.trim().strip_prefix("--").map(|comment| comment.trim().to_ascii_lowercase()).as_deref() {
            Some("sqlite") => keep = backend == DbBackend::Sqlite,
            Some("postgres") => keep = backend == DbBackend::Postgres,
            Some("all") => keep = true,
            _ if keep => {
                kept.push_str(line);
                kept.push('\n');
            }
            _ => {}
        }
    }
    kept
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    let (number, rest) = name.split_once('_')?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !rest.is_empty()).then(|| number.parse().ok()).flatten()
}

pub(in crate::db) fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn refused(detail: String) -> Error {
    Error::new(500, CODE, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn each_engine_gets_its_parts() {
        let text = "a\n-- sqlite\nb\n--postgres\nc\n-- ALL \nd\n-- sqlite is nice\n";
        assert_eq!(part_for(DbBackend::Sqlite, text), "a\nb\nd\n-- sqlite is nice\n");
        assert_eq!(part_for(DbBackend::Postgres, text), "a\nc\nd\n-- sqlite is nice\n");
    }

    #[test]
    fn files_come_in_order_with_what_undoes_them() {
        let folder = folder(&[
            ("0002_b.sql", "SELECT 2"),
            ("0001_a.sql", "SELECT 1"),
            ("0001_a.down.sql", "SELECT 0"),
            ("README.md", "not a migration"),
        ]);
        let files = read(folder.path()).unwrap();
        let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.down.is_some())).collect();
        assert_eq!(names, [("0001_a", true), ("0002_b", false)]);
    }

    #[test]
    fn windows_line_ends_do_not_change_the_checksum() {
        let unix = read(folder(&[("0001_a.sql", "SELECT\n1\n")]).path()).unwrap();
        let windows = read(folder(&[("0001_a.sql", "SELECT\r\n1\r\n")]).path()).unwrap();
        assert_eq!(unix[0].checksum, windows[0].checksum);
    }

    #[test]
    fn mistakes_in_the_folder_are_named() {
        for (files, part) in [
            (vec![("create.sql", "")], "`create.sql` is not named like a migration"),
            (vec![("0001_a.sql", ""), ("0001_b.sql", "")], "`0001_a.sql` and `0001_b.sql` have one number"),
            (vec![("0001_a.down.sql", "")], "`0001_a.down.sql` undoes `0001_a.sql`, which does not exist"),
            (vec![("0001_a.sql", "SELECT 1; commit;")], "leave them out"),
        ] {
            let error = read(folder(&files).path()).unwrap_err();
            assert_eq!(error.code(), "migration_files");
            assert!(error.detail().contains(part), "{error}");
        }
        assert!(read(Path::new("/nowhere/at/all")).unwrap_err().detail().contains("/nowhere/at/all"));
    }
}
