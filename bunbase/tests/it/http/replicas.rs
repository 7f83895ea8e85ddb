//! What a run reads comes from a replica until it writes. The replica is a database of other content, so that each answer says where
//! it is from.

use bunbase::{
    Error,
    db::{Db, DbBackend, Settings},
    prelude::*,
    testing::{TestApp, TestDatabase},
};

bunbase::module!(prefix = "/t/replicas");

/// Where an answer is from.
const PLACE: &str = "SELECT name FROM place ORDER BY name";

async fn place(ctx: &Ctx) -> Result<String> {
    ctx.sql(PLACE).scalar().await
}

/// Reads, as it is told to.
#[action(get = "/read/{how}")]
async fn read(ctx: Ctx, how: String) -> Result<String> {
    let one = async |sql: &'static str| ctx.sql(sql).scalar::<String>().await;
    match how.as_str() {
        "plainly" => place(&ctx).await,
        "all" => Ok(ctx.sql(PLACE).columns::<(String,)>().await?.remove(0).0),
        "primary" => ctx.db().primary().sql(PLACE).scalar().await,
        "lock" => one("SELECT name FROM place FOR UPDATE").await,
        "cte" => {
            one("WITH added AS (INSERT INTO note (text) VALUES ('x') RETURNING text) SELECT name FROM place, added")
                .await
        }
        "function" => one("SELECT note_it(name) FROM place").await,
        "declared" => one("SELECT note_that(name) FROM place").await,
        "mistake" => one("SELECT nothing FROM place").await,
        _ => Err(Error::not_found("no such way")),
    }
}

/// Does something, and then reads.
#[action(post = "/after/{what}")]
async fn after(ctx: Ctx, what: String) -> Result<String> {
    match what.as_str() {
        "nothing" => {}
        "write" => drop(ctx.sql("INSERT INTO note (text) VALUES ('x')").execute().await?),
        "returning" => drop(ctx.sql("INSERT INTO note (text) VALUES ('x') RETURNING text").scalar::<String>().await?),
        "transaction" => return ctx.transaction(async |tx| tx.sql(PLACE).scalar().await).await,
        "job" => drop(ctx.enqueue(Noted::new()).await?),
        "call" => ctx.call(Noted::new()).await?,
        _ => return Err(Error::not_found("nothing of this name")),
    }
    place(&ctx).await
}

/// Writes.
#[action]
async fn noted(ctx: Ctx) -> Result<()> {
    ctx.sql("INSERT INTO note (text) VALUES ('x')").execute().await?;
    Ok(())
}

/// Reads in the call of a run that has written.
#[action(post = "/caller")]
async fn caller(ctx: Ctx) -> Result<String> {
    ctx.sql("INSERT INTO note (text) VALUES ('x')").execute().await?;
    Ok(ctx.call(Read::new("plainly".to_owned())).await?)
}

async fn fill(db: &Db, name: &str) {
    for sql in [
        "CREATE TABLE place (name TEXT NOT NULL)",
        "CREATE TABLE note (text TEXT NOT NULL)",
        "CREATE FUNCTION note_it(text) RETURNS text LANGUAGE sql AS 'INSERT INTO note (text) VALUES ($1) RETURNING text'",
        "CREATE FUNCTION note_that(text) RETURNS text LANGUAGE sql AS 'SELECT note_it($1)'",
    ] {
        sea_orm_execute(db, sql).await;
    }
    db.sql("INSERT INTO place (name) VALUES ($1)").bind(name).execute().await.unwrap();
}

async fn sea_orm_execute(db: &Db, sql: &str) {
    bunbase::db::sea_orm::ConnectionTrait::execute_unprepared(db, sql).await.unwrap();
}

/// Starts an application with a replica, where the engine has such.
async fn start() -> Option<(TestApp, TestDatabase, Db)> {
    let mut all = TestDatabase::each().await.unwrap();
    let other = all.pop().filter(|database| database.backend() == DbBackend::Postgres)?;
    let db = Db::open(&Settings { max_connections: 2, ..other.settings() }).await.unwrap();
    fill(&db, "replica").await;
    let app = App::new()
        .config("database.read_replica_url", vec![other.url()])
        .config("database.writing_functions", vec!["note_that"]);
    let app = TestApp::start(app).await;
    if app.db().backend() != DbBackend::Postgres {
        return None;
    }
    fill(app.db(), "primary").await;
    until_it_is(&app, true).await;
    Some((app, other, db))
}

async fn until_it_is(app: &TestApp, is_well: bool) {
    while app.db().replicas().iter().any(|replica| replica.is_well != is_well) {
        app.db().ping().await.unwrap();
    }
}

async fn notes(db: &Db) -> i64 {
    db.sql("SELECT count(*) FROM note").scalar().await.unwrap()
}

#[tokio::test]
async fn a_read_comes_from_the_replica_unless_it_must_not() {
    let Some((app, _other, replica)) = start().await else { return };
    for (how, from) in [
        ("plainly", "replica"),
        ("all", "replica"),
        ("primary", "primary"),
        ("lock", "primary"),
        ("cte", "primary"),
        ("function", "primary"),
        ("declared", "primary"),
    ] {
        let answer = app.get(&format!("/t/replicas/read/{how}")).send().await.assert_status(200);
        assert_eq!(answer.json::<String>(), from, "{how}");
    }
    app.get("/t/replicas/read/mistake").send().await.assert_status(500);
    assert_eq!((notes(app.db()).await, notes(&replica).await), (3, 0), "what writes does so on the primary, once");
}

#[tokio::test]
async fn a_run_that_has_written_reads_from_the_primary() {
    let Some((app, _other, _replica)) = start().await else { return };
    for (what, from) in [
        ("nothing", "replica"),
        ("write", "primary"),
        ("returning", "primary"),
        ("transaction", "primary"),
        ("job", "primary"),
        ("call", "primary"),
    ] {
        let answer = app.post(&format!("/t/replicas/after/{what}")).send().await.assert_status(200);
        assert_eq!(answer.json::<String>(), from, "{what}");
    }
    let called = app.post("/t/replicas/caller").send().await.assert_status(200);
    assert_eq!(called.json::<String>(), "primary", "the run that called it has written");
    let next = app.get("/t/replicas/read/plainly").send().await.assert_status(200);
    assert_eq!(next.json::<String>(), "replica", "the next run has not");
}

#[tokio::test]
async fn a_replica_that_is_away_is_left_out_and_comes_back() {
    let Some((app, other, replica)) = start().await else { return };
    replica.close().await;
    let name = other.url().rsplit_once('/').unwrap().1.to_owned();
    let admin = app.db();
    let rename = |from: &str, to: &str| format!("ALTER DATABASE \"{from}\" RENAME TO \"{to}\"");
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
    let aside = format!("{name}_aside");
    // Sessions may come back between the two.
    loop {
        admin.sql(cut).bind(name.as_str()).scalar::<i64>().await.unwrap();
        let renamed = bunbase::db::sea_orm::ConnectionTrait::execute_unprepared(admin, &rename(&name, &aside)).await;
        if renamed.is_ok() {
            break;
        }
    }
    let answer = app.get("/t/replicas/read/plainly").send().await.assert_status(200);
    assert_eq!(answer.json::<String>(), "primary");
    until_it_is(&app, false).await;
    sea_orm_execute(admin, &rename(&aside, &name)).await;
    until_it_is(&app, true).await;
    let answer = app.get("/t/replicas/read/plainly").send().await.assert_status(200);
    assert_eq!(answer.json::<String>(), "replica");
}
