//! Transactions of actions, and many clients that write at once.

use bunbase::{
    Error,
    db::Db,
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use futures_util::future::join_all;

use super::soon;

bunbase::module!(prefix = "/t/database");

/// Writes a number in a transaction, and ends it as it is told to.
#[action(post = "/write/{how}")]
async fn write(ctx: Ctx, how: String, n: i64) -> Result<i64> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO number (n) VALUES ($1)").bind(n).execute().await?;
        match how.as_str() {
            "commit" => {}
            "panic" => panic!("in a transaction"),
            "conflict" => return Err(Error::conflict("no")),
            "outside" => {
                ctx.sql("INSERT INTO number (n) VALUES (0)").execute().await?;
            }
            "inside" => ctx.transaction(async |_| Ok(())).await?,
            "call" => {
                ctx.call(Transact::new()).await?;
            }
            "call_insert" => ctx.call(Insert::new(n)).await?,
            "call_count" => {
                ctx.call(Count::new()).await?;
            }
            "nested" => {
                let undone = tx.nested(async |tx| {
                    tx.sql("INSERT INTO number (n) VALUES (-1)").execute().await?;
                    Err::<(), _>(Error::conflict("undone"))
                });
                undone.await.unwrap_err();
                tx.nested(async |tx| tx.sql("INSERT INTO number (n) VALUES (-2)").execute().await).await?;
            }
            _ => return Err(Error::bad_request("unknown")),
        }
        tx.sql("SELECT count(*) FROM number").scalar().await
    })
    .await
}

/// Opens a transaction.
#[action(post = "/transact")]
async fn transact(ctx: Ctx) -> Result<()> {
    ctx.transaction(async |_| Ok(())).await
}

/// Waits in a transaction until it is stopped.
#[action(post = "/stuck", timeout = "100ms")]
async fn stuck(ctx: Ctx) -> Result<()> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO number (n) VALUES (99)").execute().await?;
        std::future::pending().await
    })
    .await
}

/// Writes without a transaction.
#[action(post = "/insert")]
async fn insert(ctx: Ctx, n: i64) -> Result<()> {
    ctx.sql("INSERT INTO number (n) VALUES ($1)").bind(n).execute().await?;
    Ok(())
}

/// Counts what is there.
#[action(get = "/count")]
async fn count(ctx: Ctx) -> Result<i64> {
    ctx.sql("SELECT count(*) FROM number").scalar().await
}

/// A number.
#[schema]
#[derive(FromQueryResult)]
struct Number {
    n: i64,
}

/// Lists numbers.
#[action(get = "/numbers")]
async fn list_numbers(ctx: Ctx, input: PageQuery) -> Result<Vec<Number>> {
    let sql = ctx.sql("SELECT n FROM number ORDER BY n LIMIT $1 OFFSET $2");
    sql.bind(i64::from(input.limit.get())).bind(i64::from(input.offset)).all().await
}

/// Reads, adds one and writes.
#[action(post = "/add")]
async fn add(ctx: Ctx) -> Result<i64> {
    ctx.transaction(async |tx| {
        // On Postgres the row is locked; on SQLite writers come one after the other anyway.
        let lock = if ctx.db().is_postgres() { " FOR UPDATE" } else { "" };
        let before: i64 = tx.sql(&format!("SELECT n FROM counter WHERE id = 1{lock}")).scalar().await?;
        tx.sql("UPDATE counter SET n = $1 WHERE id = 1").bind(before + 1).execute().await?;
        Ok(before + 1)
    })
    .await
}

/// Tells the databases apart.
trait Kind {
    fn is_postgres(&self) -> bool;
}

impl Kind for bunbase::context::Database {
    fn is_postgres(&self) -> bool {
        use bunbase::sea_orm::{ConnectionTrait, DbBackend};
        self.get_database_backend() == DbBackend::Postgres
    }
}

async fn make_tables(db: &Db) {
    db.sql("CREATE TABLE number (n BIGINT NOT NULL)").execute().await.unwrap();
    db.sql("CREATE TABLE counter (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)").execute().await.unwrap();
    db.sql("INSERT INTO counter (id, n) VALUES (1, 0)").execute().await.unwrap();
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    make_tables(app.db()).await;
    app
}

async fn numbers(app: &TestApp) -> i64 {
    app.db().sql("SELECT count(*) FROM number").scalar().await.unwrap()
}

#[tokio::test]
async fn a_transaction_commits_or_leaves_nothing() {
    let app = start().await;
    for (how, status, left) in [("commit", 200, 1), ("conflict", 409, 1), ("panic", 500, 1), ("commit", 200, 2)] {
        let request = app.post(&format!("/t/database/write/{how}")).json(&serde_json::json!({"n": 5}));
        soon(how, request.send()).await.assert_status(status);
        assert_eq!(numbers(&app).await, left, "{how}");
    }
}

#[tokio::test]
async fn a_write_past_the_open_transaction_fails_at_once() {
    let app = start().await;
    for how in ["outside", "inside", "call", "call_insert"] {
        let error = soon(how, app.call(Write::new(how.to_owned(), 1))).await.unwrap_err();
        let error = Error::from(error);
        assert_eq!(error.status(), 500, "{how}: {error:?}");
        assert!(format!("{error:?}").contains("transaction of this run is open"), "{how}: {error:?}");
        assert_eq!(numbers(&app).await, 0, "{how}");
    }
}

#[tokio::test]
async fn an_action_that_reads_may_be_called_within_a_transaction() {
    let app = start().await;
    soon("the call", app.call(Write::new("call_count".to_owned(), 1))).await.unwrap();
    assert_eq!(numbers(&app).await, 1);
}

#[tokio::test]
async fn a_nested_part_can_fail_alone() {
    let app = start().await;
    let seen = soon("the run", app.call(Write::new("nested".to_owned(), 1))).await.unwrap();
    assert_eq!((seen, numbers(&app).await), (2, 2));
}

#[tokio::test]
async fn a_timeout_within_a_transaction_leaves_nothing_and_frees_the_writer() {
    let app = start().await;
    soon("the timeout", app.post("/t/database/stuck").send()).await.assert_status(504);
    soon("the next writer", app.call(Insert::new(1))).await.unwrap();
    assert_eq!(numbers(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_write_at_once_and_nothing_is_lost() {
    const CLIENTS: i64 = 64;
    const EACH: i64 = 8;
    let app = ListeningApp::start(App::new()).await;
    make_tables(app.db()).await;
    let (add, insert) = (app.url("/t/database/add"), app.url("/t/database/insert"));
    let clients = (0..CLIENTS).map(|client| {
        let (add, insert) = (add.clone(), insert.clone());
        tokio::spawn(async move {
            let http = reqwest::Client::new();
            for round in 0..EACH {
                let added = http.post(&add).send().await.unwrap();
                assert_eq!(added.status(), 200, "{}", added.text().await.unwrap());
                let number = serde_json::json!({"n": client * EACH + round});
                let inserted = http.post(&insert).json(&number).send().await.unwrap();
                assert_eq!(inserted.status(), 204, "{}", inserted.text().await.unwrap());
            }
        })
    });
    let all = tokio::time::timeout(std::time::Duration::from_mins(2), join_all(clients)).await.unwrap();
    for client in all {
        client.unwrap();
    }
    let counter: i64 = app.db().sql("SELECT n FROM counter WHERE id = 1").scalar().await.unwrap();
    let different: i64 = app.db().sql("SELECT count(DISTINCT n) FROM number").scalar().await.unwrap();
    assert_eq!((counter, different), (CLIENTS * EACH, CLIENTS * EACH));
    soon("the shutdown", app.stop()).await.unwrap();
}

#[tokio::test]
async fn an_offset_is_an_input_like_others_and_has_a_most() {
    let app = start().await;
    for n in 0..30 {
        app.call(Insert::new(n)).await.unwrap();
    }
    let numbers = async |query: &str| {
        let answer = app.get(&format!("/t/database/numbers{query}")).send().await.assert_status(200);
        answer.json::<Vec<Number>>().iter().map(|number| number.n).collect::<Vec<_>>()
    };
    assert_eq!(numbers("").await, (0..20).collect::<Vec<_>>());
    assert_eq!(numbers("?limit=3&offset=28").await, [28, 29]);
    assert!(numbers("?offset=10000").await.is_empty());
    let answer = app.get("/t/database/numbers?limit=101&offset=10001").send().await;
    assert_eq!(super::mistakes(&answer), ["query /limit range", "query /offset range"]);
    let query = PageQuery { offset: 10_001, ..PageQuery::default() };
    assert_eq!(Error::from(app.call(ListNumbers(query)).await.unwrap_err()).status(), 422);
    let parameters = &app.document()["paths"]["/t/database/numbers"]["get"]["parameters"];
    let schema = |name: &str| &parameters.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["schema"];
    assert_eq!((&schema("limit")["maximum"], &schema("offset")["maximum"]), (&100.into(), &10_000.into()));
}
