//! The application whose command line is tested: notes, and a run that waits for the test.

use std::path::Path;

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{pk_auto, string},
        sea_query::{Alias, Table},
    },
    prelude::*,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

#[cfg(feature = "profiling")]
#[global_allocator]
static ALLOCATOR: bunbase::Jemalloc = bunbase::Jemalloc;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Notes)]
    }
}

struct Notes;

impl MigrationName for Notes {
    fn name(&self) -> &'static str {
        "m0001_notes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Notes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table(Alias::new("notes")).col(pk_auto(Alias::new("id"))).col(string(Alias::new("text")));
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("notes")).to_owned()).await
    }
}

/// Adds a note. With `until` it waits in the middle of its transaction until that address sends something or hangs up.
#[action(post = "/notes", status = 201, tool)]
async fn add_note(
    ctx: Ctx,
    #[validate(length(min = 1, max = 20))] text: String,
    #[validate(range(min = 1, max = 3))] times: Option<i32>,
    until: Option<String>,
) -> Result<i64> {
    ctx.transaction(async |tx| {
        for _ in 0..times.unwrap_or(1) {
            tx.sql("INSERT INTO notes (text) VALUES ($1)").bind(text.clone()).execute().await?;
        }
        if let Some(address) = &until {
            TcpStream::connect(address).await?.read_u8().await?;
        }
        tx.sql("SELECT count(*) FROM notes").scalar().await
    })
    .await
}

/// Counts the notes.
#[action(get = "/notes", tool)]
async fn count_notes(ctx: Ctx) -> Result<i64> {
    ctx.sql("SELECT count(*) FROM notes").scalar().await
}

/// Says who asks, whom nobody but an operator can name here.
#[action(tool = "who-am-i")]
async fn who(#[guard] caller: ApiKey) -> Result<Text> {
    Ok(caller.holder.into())
}

/// Says who calls.
#[action]
async fn who_calls(ctx: Ctx, #[guard] caller: ApiKey) -> Result<Vec<String>> {
    Ok(vec![caller.holder, ctx.identity().scope()])
}

/// Counts a visit, where values are kept.
#[action]
async fn visit(ctx: Ctx) -> Result<i64> {
    ctx.kv().increment("visits", 1, None).await
}

#[bunbase::main]
async fn main() -> Result<()> {
    let mut app = App::new().config("app.name", "notes").migrations::<Migrator>().state(ApiKeys::new());
    // A test that lays SQL files beside the application wants them.
    if Path::new("migrations").is_dir() {
        app = app.sql_migrations("migrations");
    }
    if Path::new("seeds").is_dir() {
        app = app.sql_seeds("seeds").seed("0002_welcome", async |tx| {
            tx.sql("INSERT INTO notes (text) VALUES ($1)").bind("welcome").execute().await?;
            Ok(())
        });
    }
    app.run().await
}
