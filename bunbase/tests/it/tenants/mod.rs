//! Tenants: what keeps their rows, values, cached answers, jobs and events apart.

mod isolation;
mod refusals;

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{pk_auto, string, string_null},
        sea_query::Table,
    },
    prelude::*,
    sea_orm::ConnectionTrait,
    tenant::policies,
    testing::{TestApp, TestDatabase},
};

bunbase::module!(name = "tenants", prefix = "/t/tenants");

const TABLES: [&str; 3] = ["note", "worked", "heard"];

/// A note was added.
#[event("note.added")]
pub(crate) struct NoteAdded {
    pub(crate) text: String,
}

/// What a tenant has, in every place where something can be kept.
#[schema]
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Everything {
    /// Its rows.
    pub(crate) notes: Vec<String>,
    /// What its jobs have done.
    pub(crate) worked: Vec<String>,
    /// What has heard its events.
    pub(crate) heard: Vec<String>,
    /// What it has counted in the key-value store.
    pub(crate) counted: i64,
}

/// Adds a note, and says so in every way; with `fails` all of it is undone.
#[action(post = "/notes")]
async fn add_note(ctx: Ctx, text: String, #[default] fails: bool) -> Result<()> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO note (text) VALUES ($1)").bind(&*text).execute().await?;
        tx.enqueue(Work::new(text.clone())).unique_key("the same for all tenants").unique_until_started().await?;
        tx.emit_event(&NoteAdded { text: text.clone() }).key("the same for all tenants").await?;
        if fails { Err(bunbase::Error::conflict("it is undone")) } else { Ok(()) }
    })
    .await?;
    ctx.kv().increment("notes", 1, None).await?;
    Ok(())
}

/// Does its work once for all notes that were added meanwhile.
#[action]
async fn work(ctx: Ctx, text: String) -> Result<()> {
    ctx.sql("INSERT INTO worked (text) VALUES ($1)").bind(text).execute().await?;
    Ok(())
}

/// Hears of a note.
#[action(event(NoteAdded, ordered), idempotent)]
async fn hear(ctx: Ctx, text: String) -> Result<()> {
    ctx.sql("INSERT INTO heard (text) VALUES ($1)").bind(text).execute().await?;
    Ok(())
}

async fn texts(ctx: &Ctx, table: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = ctx.sql(&format!("SELECT text FROM {table} ORDER BY id")).columns().await?;
    Ok(rows.into_iter().map(|(text,)| text).collect())
}

/// Shows all that the tenant has.
#[action(get = "/everything")]
async fn show_everything(ctx: Ctx) -> Result<Everything> {
    Ok(Everything {
        notes: texts(&ctx, "note").await?,
        worked: texts(&ctx, "worked").await?,
        heard: texts(&ctx, "heard").await?,
        counted: ctx.kv().get("notes").await?.unwrap_or_default(),
    })
}

/// Shows the notes as they were when somebody asked first.
#[action(get = "/remembered", cache(ttl = "1h", tags = ["notes"]))]
async fn remembered(ctx: Ctx) -> Result<Vec<String>> {
    texts(&ctx, "note").await
}

/// Forgets what was remembered, and shows the notes through the cache of the code.
#[action(post = "/forget")]
async fn forget(ctx: Ctx) -> Result<Vec<String>> {
    ctx.cache().invalidate(["notes"]).await?;
    let minute = std::time::Duration::from_mins(1);
    let cache = ctx.cache();
    cache.remove("notes").await?;
    cache.get_or_load("notes", minute, async || texts(&ctx, "note").await).await
}

/// Takes a lock that each tenant has for itself.
#[action(post = "/lock")]
async fn lock(ctx: Ctx, other: Option<String>) -> Result<bool> {
    let held = ctx.lock("mine", std::time::Duration::from_secs(30)).try_now().await?;
    let _ = other;
    match held {
        // One that is dropped is given back in the background.
        Some(held) => held.release().await,
        None => Ok(false),
    }
}

/// Counts the tenants, and begins work for each.
#[action(post = "/nightly", guards = [across_tenants()])]
async fn nightly(ctx: Ctx) -> Result<u32> {
    let all = ctx.tenants().list().await?;
    let count = all.len();
    for tenant in all {
        ctx.enqueue(Work::new(format!("{}-nightly", tenant.id))).tenant(tenant.id).await?;
    }
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Touches data before a tenant can be known.
struct Early;

impl Guard for Early {
    type Error = bunbase::Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        if ctx.tenant().is_none() {
            ctx.sql("DELETE FROM note").execute().await?;
        }
        Ok(())
    }
}

/// Has a guard that touches data.
#[action(post = "/hasty", guards = [Early])]
async fn hasty() -> Result<()> {
    Ok(())
}

/// Tables without policies.
struct Plain;

impl MigratorTrait for Plain {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Notes)]
    }
}

/// Tables that all tenants share.
struct Shared;

impl MigratorTrait for Shared {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Notes), Box::new(Policies)]
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
        for table in TABLES {
            let table = Table::create()
                .table(table)
                .col(pk_auto("id"))
                .col(string_null("tenant_id"))
                .col(string("text"))
                .to_owned();
            manager.create_table(table).await?;
        }
        Ok(())
    }
}

struct Policies;

impl MigrationName for Policies {
    fn name(&self) -> &'static str {
        "m0002_policies"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Policies {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in TABLES.iter().flat_map(|table| policies(table, "tenant_id")) {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

/// An application with tenants, and what goes when it does.
struct House {
    app: TestApp,
    name: &'static str,
    _shards: Vec<TestDatabase>,
}

/// The role of tenants; roles are the whole server's, so all tests have one.
const ROLE: &str = "bunbase_test_tenant";

/// Starts an application for each way in which its database can keep tenants apart, with the tenants `a` and `b`.
async fn each() -> Vec<House> {
    let mut houses = Vec::new();
    if std::env::var("BUNBASE_TEST_DATABASE").as_deref() == Ok("postgres") {
        let rows = App::new().config("tenants.isolation", "rows").config("tenants.role", ROLE).migrations::<Shared>();
        houses.push(House { app: TestApp::start(rows).await, name: "rows", _shards: Vec::new() });
        let schema = App::new().config("tenants.isolation", "schema").migrations::<Plain>();
        houses.push(House { app: TestApp::start(schema).await, name: "schema", _shards: Vec::new() });
    }
    let mut shards = Vec::new();
    for _ in 0..2 {
        shards.push(TestDatabase::create().await.unwrap());
    }
    let urls = ["one", "two"].iter().zip(&shards).map(|(name, shard)| format!("{name}={}", shard.url()));
    let app = App::new()
        .config("tenants.isolation", "database")
        .config("tenants.shards", urls.collect::<Vec<_>>())
        .migrations::<Plain>();
    houses.push(House { app: TestApp::start(app).await, name: "database", _shards: shards });
    for House { app, name, .. } in &houses {
        let shards = if *name == "database" { ["one", "two"] } else { ["", ""] };
        for (id, shard) in ["a", "b"].iter().zip(shards) {
            assert!(app.tenants().add(&id.parse().unwrap(), shard).await.unwrap());
        }
    }
    houses
}
