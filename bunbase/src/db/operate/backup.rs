//! A copy of a SQLite database while it is in use.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::restore::check;
use crate::{
    Error, Result,
    db::{
        Db, Settings,
        pool::{Access, open_sqlite},
        settings::Target,
    },
};

/// Writes the database as of now into a file, while others go on writing, and returns its size in bytes.
///
/// The file is complete or not there: it is written under another name, checked, and renamed. Only its owner may read it.
///
/// # Errors
/// 400 `backup` on Postgres, with the command that does it there, and for a database in memory; 409 `file_exists` unless `force`; others of
/// the database and the file system.
pub async fn backup(db: &Db, to: &Path, force: bool) -> Result<u64> {
    let source = match db.target() {
        Target::SqliteFile(path) => path,
        Target::SqliteMemory => {
            return Err(refused("a database in memory goes with its process; there is nothing to copy".to_owned()));
        }
        Target::Postgres => {
            let url = address(db.settings());
            return Err(refused(format!(
                "this database is Postgres, whose own tool copies it:\n  pg_dump --format=custom --file={} {url}\n{PASSWORD}",
                quoted(&to.display().to_string())
            )));
        }
    };
    if let (Ok(to), Ok(source)) = (to.canonicalize(), source.canonicalize())
        && to == source
    {
        return Err(refused(format!("{} is the database itself; name another file", to.display())));
    }
    if !force && to.exists() {
        return Err(exists(to));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let not_written = |source: std::io::Error| {
        Error::new(500, "backup", format!("{} cannot be written", to.display())).caused_by(source)
    };
    let made = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder).map_err(not_written)?;
    let Some(path) = made.path().to_str() else {
        return Err(refused(format!("{} has a name that is not UTF-8; name another folder", folder.display())));
    };
    let connection = open_sqlite(db.settings(), Access::Read(1)).await?;
    // One read transaction: what is committed meanwhile is not in it.
    let copy = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [path.into()]);
    let copied = connection.execute_raw(copy).await;
    connection.close().await?;
    copied?;
    check(made.path(), "PRAGMA quick_check").await?;
    made.as_file().sync_all().map_err(not_written)?;
    let size_bytes = made.as_file().metadata().map_err(not_written)?.len();
    if force {
        made.persist(to).map_err(|error| not_written(error.error))?;
    } else {
        made.persist_noclobber(to).map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(to),
            _ => not_written(error.error),
        })?;
    }
    sync_folder(folder).map_err(not_written)?;
    Ok(size_bytes)
}

/// Where the password comes from, which is in no command.
pub(super) const PASSWORD: &str = "It asks for the password, or takes it from `PGPASSWORD` or `~/.pgpass`.";

/// Returns the address of a Postgres for its tools, in quotes and without the password; not that of a proxy.
pub(super) fn address(settings: &Settings) -> String {
    let direct = settings.direct_url.as_ref().map(|url| Settings { url: url.clone(), ..settings.clone() });
    quoted(&direct.as_ref().unwrap_or(settings).url_without_password())
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Makes a rename outlive a loss of power.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    // Only there can a folder be opened.
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn exists(to: &Path) -> Error {
    Error::new(
        409,
        "file_exists",
        format!("{} exists; name another file, or say `--force` to replace it", to.display()),
    )
}

fn refused(detail: String) -> Error {
    Error::new(400, "backup", detail)
}
