//! A copy in the place of a SQLite database.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::NamedTempFile;

use super::backup::{PASSWORD, address, quoted, sync_folder};
use crate::{
    Error, Result,
    db::{Settings, settings::Target},
};

/// How long whoever closes the database at this moment is waited for.
const BUSY: Duration = Duration::from_secs(1);

/// What every SQLite database begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// SQLite's codes for a file that is damaged, or not a database: nobody can use it, and a restore is what it needs.
const DAMAGED: [&str; 2] = ["11", "26"];

/// Puts a copy that [`backup`](super::backup) made in the place of the database, and returns the database's path.
///
/// The copy is checked in full and written beside the database first; then the database, which nobody may have open, is locked and
/// replaced in one step, with its log (`-wal`, `-shm`). After a crash there is the one or the other.
///
/// # Errors
/// 400 `restore` on Postgres, with the command that does it there, for a database in memory and for a file that is no SQLite database;
/// 409 `database_exists` unless `force`; 409 `database_in_use` while a process has it open, `force` or not; others of the file system.
pub async fn restore(settings: &Settings, from: &Path, force: bool) -> Result<PathBuf> {
    let database = match Target::parse(&settings.url)? {
        Target::SqliteFile(path) => path,
        Target::SqliteMemory => {
            return Err(refused(
                "a database in memory goes with its process; nothing can be put in its place".to_owned(),
            ));
        }
        Target::Postgres => {
            return Err(refused(format!(
                "this database is Postgres, whose own tool restores it (what is there is dropped first):\n  pg_restore --clean --if-exists \
                 --single-transaction --no-owner --dbname={} {}\n{PASSWORD}",
                address(settings),
                quoted(&from.display().to_string())
            )));
        }
    };
    if !force && database.exists() {
        let text =
            format!("{} exists; make a backup of it first, then say `--force` to replace it", database.display());
        return Err(Error::new(409, "database_exists", text));
    }
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let not_written = |source: std::io::Error| {
        Error::new(500, "restore", format!("{} cannot be replaced", database.display())).caused_by(source)
    };
    fs::create_dir_all(folder).map_err(not_written)?;
    let staged = stage(from, folder)?;
    check(staged.path(), "PRAGMA integrity_check").await?;
    if database.exists() {
        let permissions = fs::metadata(&database).map_err(not_written)?.permissions();
        fs::set_permissions(staged.path(), permissions).map_err(not_written)?;
    }
    staged.as_file().sync_all().map_err(not_written)?;

    let lock = lock(&database).await?;
    // Opened before the rename; closed after the lock, which would end with it.
    let old = OpenOptions::new().write(true).open(&database).ok();
    for ending in ["-wal", "-shm", "-journal"] {
        let mut path = database.clone().into_os_string();
        path.push(ending);
        match fs::remove_file(path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(not_written(source)),
            _ => {}
        }
    }
    staged.persist(&database).map_err(|error| not_written(error.error))?;
    sync_folder(folder).map_err(not_written)?;
    if let Some(lock) = lock {
        if let Some(old) = &old {
            spoil(old).map_err(not_written)?;
        }
        // The old file is gone; nothing is to be saved.
        let _ = lock.close().await;
    }
    drop(old);
    Ok(database)
}

/// Copies the file into the folder of the database, so that it can be renamed.
fn stage(from: &Path, folder: &Path) -> Result<NamedTempFile> {
    let unreadable = |source: std::io::Error| {
        Error::new(400, "restore", format!("{} cannot be read", from.display())).caused_by(source)
    };
    let mut log = from.to_path_buf().into_os_string();
    log.push("-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(refused(format!(
            "{} has a log beside it ({}), so it is a database in use and no backup; `db backup` makes one",
            from.display(),
            Path::new(&log).display()
        )));
    }
    let mut source = File::open(from).map_err(unreadable)?;
    let mut staged = tempfile::Builder::new().prefix(".restore-").tempfile_in(folder)?;
    std::io::copy(&mut source, staged.as_file_mut()).map_err(unreadable)?;
    let mut begins = [0; 16];
    staged.as_file_mut().seek(SeekFrom::Start(0))?;
    match std::io::Read::read_exact(staged.as_file_mut(), &mut begins) {
        Ok(()) if begins == *MAGIC => Ok(staged),
        _ => Err(refused(format!("{} is not a SQLite database", from.display()))),
    }
}

/// Asks SQLite whether a database is sound.
pub(super) async fn check(path: &Path, question: &'static str) -> Result<()> {
    let damaged = |told: String| {
        Error::new(500, "database_damaged", format!("the copy is damaged, so nothing was replaced: {told}"))
    };
    let mut connection =
        SqliteConnectOptions::new().filename(path).read_only(true).connect().await.map_err(as_error)?;
    let rows = sqlx::query(question).fetch_all(&mut connection).await;
    connection.close().await.map_err(as_error)?;
    let rows = rows.map_err(|error| damaged(error.to_string()))?;
    let told = rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>().map_err(as_error)?;
    if told == ["ok"] { Ok(()) } else { Err(damaged(told.join("; "))) }
}

/// Locks the database for this process alone, with its log folded into it; `None` when there is none, or one that nobody can use.
///
/// A connection in WAL mode has a shared lock for as long as it is open, so leaving that mode fails while there is another.
async fn lock(database: &Path) -> Result<Option<SqliteConnection>> {
    if !database.exists() {
        return Ok(None);
    }
    match try_lock(database).await {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(in_use(database)),
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| DAMAGED.contains(&&*code)) => Ok(None),
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "5" || code == "261") => {
            Err(in_use(database).caused_by(error))
        }
        Err(error) => Err(as_error(error)),
    }
}

async fn try_lock(database: &Path) -> Result<Option<SqliteConnection>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(BUSY);
    let mut connection = options.connect().await?;
    connection.execute("PRAGMA locking_mode = EXCLUSIVE").await?;
    let mode: String = connection.fetch_one("PRAGMA journal_mode = DELETE").await?.try_get(0)?;
    if mode != "delete" {
        return Ok(None);
    }
    connection.execute("BEGIN EXCLUSIVE").await?;
    Ok(Some(connection))
}

/// Makes the replaced file unusable for a process that opened it in the moment before: it gets an error, and does not write into a
/// file that has no name any more.
fn spoil(mut old: &File) -> std::io::Result<()> {
    let mut head = [0; 100];
    let text = b"this database was replaced by a restore; start the process again";
    head[..text.len()].copy_from_slice(text);
    old.write_all(&head)
}

fn in_use(database: &Path) -> Error {
    let text = format!("{} is in use; stop every process that has it open, and try again", database.display());
    Error::new(409, "database_in_use", text)
}

fn refused(detail: String) -> Error {
    Error::new(400, "restore", detail)
}

fn as_error(error: sqlx::Error) -> Error {
    Error::new(500, "restore", "SQLite refused").caused_by(error)
}
