//! SeaORM's entities, written from the tables that a database has.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sea_orm::DbBackend;
use sea_orm_codegen::{
    BannerVersion, BigIntegerType, DateTimeCrate, EntityFormat, EntityTransformer, EntityWriterContext, WithPrelude,
    WithSerde,
};
use sea_schema::{postgres, sea_query::TableCreateStatement, sqlite, sqlite::def::ColumnVisibility};

use super::tables::framework_tables;
use crate::{
    Error, Result,
    db::{Db, migrate::checksum, pool::open_postgres_session},
};

/// What a written file begins with; its checksum follows, so that a file that somebody changed is told from one that was left alone.
const MARK: &str = "// Written by `entity generate`, and replaced by it as long as nobody changes it; checksum ";

/// Partitions: whoever reads the table reads them.
const PARTS: &str = "SELECT relname::text FROM pg_class WHERE relispartition ORDER BY relname";

/// The files of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entities {
    /// The names of files and their texts.
    pub files: Vec<(String, String)>,
}

/// Makes entities of the tables named in `tables`, or of all that are not the framework's when it is empty. On Postgres those of the schema
/// that comes first in the search path; columns that the database computes are left out.
///
/// # Errors
/// 404 `table_unknown` for a name that no table has; 400 `table_unfit` for a table of which no entity can be made, such as one without a
/// primary key; those of the database.
pub async fn entities(db: &Db, tables: &[String]) -> Result<Entities> {
    db.reach().await?;
    let own = framework_tables().await?;
    let is_own = |name: &str| {
        own.contains(name) || ["bunbase_", "seaql_", "sqlite_"].iter().any(|begin| name.starts_with(begin))
    };
    let mut all = match db.backend() {
        DbBackend::Postgres => of_postgres(db).await?,
        _ => of_sqlite(db).await?,
    };
    all.retain(|(name, _)| !is_own(name));
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    if let Some(unknown) = tables.iter().find(|table| all.iter().all(|(name, _)| name != *table)) {
        let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
        let text = if is_own(unknown) {
            format!("`{unknown}` is the framework's own table")
        } else {
            format!("there is no table `{unknown}`")
        };
        let known =
            if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
        return Err(Error::new(404, "table_unknown", format!("{text}; {known}")));
    }
    all.retain(|(name, _)| tables.is_empty() || tables.contains(name));
    if all.is_empty() {
        return Err(Error::new(
            404,
            "table_unknown",
            "the database has no tables of the application's own; run `migrate up` first",
        ));
    }
    written(all.into_iter().map(|(_, table)| table).collect())
}

fn written(tables: Vec<TableCreateStatement>) -> Result<Entities> {
    let unfit =
        |told: String| Error::new(400, "table_unfit", format!("no entities can be made of these tables: {told}"));
    let names: Vec<_> = tables.iter().map(|table| format!("{:?}", table.get_table_name())).collect();
    for (table, name) in tables.iter().zip(&names) {
        let has_key = table.get_columns().iter().any(|column| column.get_column_spec().primary_key)
            || table.get_indexes().iter().any(sea_schema::sea_query::IndexCreateStatement::is_primary_key);
        if !has_key {
            return Err(unfit(format!("{name} has no primary key; leave it out with `--tables`")));
        }
    }
    let context = EntityWriterContext::new(
        EntityFormat::default(),
        WithPrelude::All,
        WithSerde::None,
        false,
        DateTimeCrate::Chrono,
        BigIntegerType::I64,
        None,
        false,
        false,
        false,
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        Vec::new(),
        false,
        true,
        BannerVersion::Major,
    );
    let writer = EntityTransformer::transform(tables).map_err(|error| unfit(error.to_string()))?;
    let files = writer.generate(&context).files.into_iter();
    let files = files.map(|file| Ok((file.name, marked(&file.content)?)));
    Ok(Entities { files: files.collect::<Result<_>>()? })
}

impl Entities {
    /// Writes the files into a folder, which is made when it is missing, and returns the paths of those that are new or have changed.
    ///
    /// # Errors
    /// 409 `file_exists` when a file is there that this did not write, or that somebody has changed since, unless `force`; then nothing is
    /// written. Others of the file system.
    pub fn write(&self, folder: &Path, force: bool) -> Result<Vec<PathBuf>> {
        let not_written = |path: &Path, source| {
            Error::new(500, "entities", format!("{} cannot be written", path.display())).caused_by(source)
        };
        let (mut changed, mut foreign) = (Vec::new(), Vec::new());
        for (name, text) in &self.files {
            let path = folder.join(name);
            match fs::read_to_string(&path) {
                Ok(old) if old == *text => {}
                Ok(old) if force || is_untouched(&old) => changed.push((path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => changed.push((path, text)),
                Ok(_) => foreign.push(path.display().to_string()),
                Err(source) => return Err(not_written(&path, source)),
            }
        }
        if !foreign.is_empty() {
            let text = format!(
                "these were not written by `entity generate`, or were changed since, so nothing was written: {}; say `--force` to replace them, \
                 or `--out` another folder",
                foreign.join(", ")
            );
            return Err(Error::new(409, "file_exists", text));
        }
        fs::create_dir_all(folder).map_err(|source| not_written(folder, source))?;
        for (path, text) in &changed {
            fs::write(path, text).map_err(|source| not_written(path, source))?;
        }
        Ok(changed.into_iter().map(|(path, _)| path).collect())
    }
}

/// Lays a file out, and marks it.
fn marked(text: &str) -> Result<String> {
    let parsed = syn::parse_file(text).map_err(Error::internal)?;
    let text = prettyplease::unparse(&parsed);
    Ok(format!("{MARK}{}.\n{text}", sum(&text)))
}

fn is_untouched(text: &str) -> bool {
    text.strip_prefix(MARK).and_then(|rest| rest.split_once(".\n")).is_some_and(|(kept, rest)| kept == sum(rest))
}

/// Returns a checksum of the words of a text, whatever their order: rustfmt may have been over it.
fn sum(text: &str) -> String {
    let mut words: Vec<_> = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').collect();
    words.retain(|word| !word.is_empty());
    words.sort_unstable();
    checksum(&words.join(" "))
}

async fn of_postgres(db: &Db) -> Result<Vec<(String, TableCreateStatement)>> {
    let schema: String = db.sql("SELECT current_schema()::text").scalar().await?;
    // What reads the schema prepares its statements, outside of transactions.
    let Some(settings) = db.settings().of_session() else {
        let text =
            "entities are made in a session of the server, which PgBouncer does not give: set `database.direct_url`";
        return Err(Error::new(400, "no_session", text));
    };
    let session = open_postgres_session(&settings).await?;
    let pool = session.get_postgres_connection_pool().clone();
    let discovered = postgres::discovery::SchemaDiscovery::new(pool, &schema).discover().await;
    session.close().await?;
    let parts: Vec<(String,)> = db.sql(PARTS).columns().await?;
    let tables = discovered.map_err(Error::internal)?.tables.into_iter();
    Ok(tables
        .filter(|table| parts.iter().all(|(part,)| *part != table.info.name))
        .map(|mut table| {
            // Nobody can write them, and a unique index of some rows makes nothing unique.
            table.columns.retain(|column| column.generated.is_none());
            table.unique_constraints.retain(|constraint| !constraint.is_partial);
            (table.info.name.clone(), table.write())
        })
        .collect())
}

async fn of_sqlite(db: &Db) -> Result<Vec<(String, TableCreateStatement)>> {
    let pool = db.primary().get_sqlite_connection_pool().clone();
    let discovered = sqlite::discovery::SchemaDiscovery::new(pool).discover().await;
    let tables = discovered.map_err(Error::internal)?.merge_indexes_into_table().tables.into_iter();
    Ok(tables
        .map(|mut table| {
            let computed = [ColumnVisibility::GeneratedVirtual, ColumnVisibility::GeneratedStored];
            table.columns.retain(|column| !computed.contains(&column.hidden));
            (table.name.clone(), table.write())
        })
        .collect())
}
