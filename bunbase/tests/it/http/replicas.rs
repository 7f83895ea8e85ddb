//! What a run reads comes from a replica until it writes. The replica is a database of other content, so that each answer says where
//! it is from.

use bunbase::{
    Error,
    db::{Db, DbBackend, Settings, testing::PostgresServer},
    prelude::*,
    testing::{TestApp, TestDatabase, TestResponse},
};

use super::soon;

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

/// Writes, once for a key.
#[action(post = "/notes", status = 204, idempotent)]
async fn write_note(ctx: Ctx) -> Result<()> {
    ctx.sql("INSERT INTO note (text) VALUES ('x')").execute().await?;
    Ok(())
}

/// Says who answers, and how many notes it has.
#[action(get = "/notes")]
async fn count_notes(ctx: Ctx) -> Result<String> {
    let sql = "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END || ' ' || count(*) FROM note";
    ctx.sql(sql).scalar().await
}

/// Counts in an action that this one calls.
#[action(get = "/called")]
async fn count_by_call(ctx: Ctx) -> Result<String> {
    Ok(ctx.call(CountNotes::new()).await?)
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

/// A primary, a standby of it, and the connection by which its replay is stopped.
struct Pair {
    primary: PostgresServer,
    standby: PostgresServer,
    control: Db,
}

impl Pair {
    async fn start() -> Option<Self> {
        let primary = PostgresServer::start(|_folder| "-c fsync=off".to_owned()).unwrap()?;
        let db = Db::open(&Settings::new(primary.url())).await.unwrap();
        db.sql("CREATE TABLE note (text TEXT NOT NULL)").execute().await.unwrap();
        db.close().await;
        let standby = primary.standby().unwrap();
        let control = Db::open(&Settings { max_connections: 1, ..Settings::new(standby.url()) }).await.unwrap();
        Some(Self { primary, standby, control })
    }

    /// Starts an instance over both.
    async fn instance(&self, reads_own_writes: bool) -> TestApp {
        let app = App::new()
            .config("database.url", self.primary.url())
            .config("database.read_replica_url", vec![self.standby.url()])
            .config("database.max_lag", "10m")
            .config("database.read_your_writes", reads_own_writes);
        let app = TestApp::start(app).await;
        until_it_is(&app, true).await;
        app
    }

    /// Makes the standby stay where it is.
    async fn pause(&self) {
        sea_orm_execute(&self.control, "SELECT pg_wal_replay_pause()").await;
        let state = "SELECT pg_get_wal_replay_pause_state()";
        while self.control.sql(state).scalar::<String>().await.unwrap() != "paused" {}
    }

    async fn resume(&self) {
        sea_orm_execute(&self.control, "SELECT pg_wal_replay_resume()").await;
    }
}

/// Asks an instance who answers, and how many notes there are.
async fn counted(app: &TestApp, header: Option<(&str, &str)>) -> String {
    let request = app.get("/t/replicas/notes");
    let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().await.assert_status(200).json()
}

fn mark(answer: &TestResponse) -> String {
    answer.header("bunbase-read-after").expect("it has written").to_owned()
}

#[tokio::test]
async fn what_a_caller_has_written_is_in_what_it_reads_next_on_any_instance() {
    let Some(pair) = Pair::start().await else { return };
    let (one, other) = (pair.instance(true).await, pair.instance(true).await);
    // The tables of the framework are there as well.
    soon("the replica", async { while counted(&other, None).await != "replica 0" {} }).await;
    pair.pause().await;
    let written = one.post("/t/replicas/notes").header("idempotency-key", "first").send().await.assert_status(204);
    let mark = mark(&written);
    let cookie = written.header("set-cookie").unwrap();
    let (cookie, attributes) = cookie.split_once(';').unwrap();
    assert!(attributes.contains("HttpOnly") && attributes.contains("Max-Age=610"), "{attributes}");

    assert_eq!(counted(&other, None).await, "replica 0", "somebody else's next request may be behind");
    assert_eq!(counted(&other, Some(("bunbase-read-after", &mark))).await, "primary 1");
    assert_eq!(counted(&other, Some(("cookie", cookie))).await, "primary 1");
    let called = other.get("/t/replicas/called").header("bunbase-read-after", &mark).send().await;
    assert_eq!(called.json::<String>(), "primary 1", "so do the actions that it calls");
    assert!(called.header("bunbase-read-after").is_none() && called.header("set-cookie").is_none());
    assert_eq!(counted(&other, Some(("bunbase-read-after", &mark[..mark.len() - 2]))).await, "replica 0");

    let again = other.post("/t/replicas/notes").header("idempotency-key", "first").send().await.assert_status(204);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(counted(&other, Some(("bunbase-read-after", &self::mark(&again)))).await, "primary 1");

    pair.resume().await;
    let caught_up = async { while counted(&other, Some(("bunbase-read-after", &mark))).await != "replica 1" {} };
    soon("the replica has it, and answers", caught_up).await;
}

#[tokio::test]
async fn nothing_is_marked_unless_it_is_asked_for() {
    let Some(pair) = Pair::start().await else { return };
    let app = pair.instance(false).await;
    pair.pause().await;
    let written = app.post("/t/replicas/notes").send().await.assert_status(204);
    assert!(written.header("bunbase-read-after").is_none() && written.header("set-cookie").is_none());
    assert_eq!(counted(&app, None).await, "replica 0");
    pair.resume().await;
}
