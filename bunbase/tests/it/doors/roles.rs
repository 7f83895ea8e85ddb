//! Processes by their roles: what a worker does beside the requests, and what it leaves behind.

use std::time::Duration;

use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestDatabase},
};

use super::soon;

bunbase::module!(name = "roles", prefix = "/t/roles");

/// Writes down that it ran.
#[action]
async fn work(ctx: Ctx, line: String) -> Result<()> {
    ctx.sql("INSERT INTO line (line) VALUES ($1)").bind(format!("{line} {}", ctx.door())).execute().await?;
    Ok(())
}

/// Has no end.
#[action]
async fn endless(ctx: Ctx) -> Result<()> {
    ctx.sql("INSERT INTO line (line) VALUES ('begun')").execute().await?;
    std::future::pending().await
}

/// Stores jobs.
#[action(post = "/store")]
async fn store_work(ctx: Ctx, line: String, endless: Option<bool>) -> Result<()> {
    if endless == Some(true) {
        ctx.enqueue(Endless::new()).await?;
    } else {
        ctx.enqueue(Work::new(line)).await?;
    }
    Ok(())
}

async fn listen(database: &TestDatabase, roles: &[&str]) -> ListeningApp {
    let app = App::new().config("database.url", database.url()).config("app.roles", roles.to_vec());
    ListeningApp::start(app.config("queue.shutdown_timeout", "50ms")).await
}

async fn start(roles: &[&str]) -> (TestDatabase, ListeningApp) {
    let database = TestDatabase::create().await.unwrap();
    let app = listen(&database, roles).await;
    app.db().sql("CREATE TABLE line (line TEXT NOT NULL)").execute().await.unwrap();
    (database, app)
}

async fn post(app: &ListeningApp, body: &'static str) {
    let request = reqwest::Client::new().post(app.url("/t/roles/store")).header("content-type", "application/json");
    assert_eq!(request.body(body).send().await.unwrap().status(), 204);
}

/// Waits until a query answers a number.
async fn reaches(app: &ListeningApp, sql: &str, number: i64) {
    let asked = async {
        while app.db().sql(sql).scalar::<i64>().await.unwrap() != number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(sql, asked).await;
}

#[tokio::test]
async fn a_worker_runs_jobs_beside_the_requests() {
    let (_database, app) = start(&["http", "worker", "scheduler"]).await;
    post(&app, r#"{"line": "a"}"#).await;
    reaches(&app, "SELECT count(*) FROM line WHERE line = 'a job'", 1).await;
    reaches(&app, "SELECT count(*) FROM job_queue WHERE status = 'completed'", 1).await;
    soon("the shutdown", app.stop()).await.unwrap();
}

#[tokio::test]
async fn a_process_that_answers_requests_only_leaves_jobs_to_others() {
    let (database, http) = start(&["http"]).await;
    post(&http, r#"{"line": "a"}"#).await;
    soon("the shutdown", http.stop()).await.unwrap();
    let worker = listen(&database, &["worker"]).await;
    reaches(&worker, "SELECT count(*) FROM line", 1).await;
    soon("the shutdown", worker.stop()).await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_handed_back_without_an_attempt() {
    let (database, app) = start(&["http", "worker"]).await;
    post(&app, r#"{"line": "", "endless": true}"#).await;
    reaches(&app, "SELECT count(*) FROM line", 1).await;
    soon("the shutdown", app.stop()).await.unwrap();
    let db = database.db().await.unwrap();
    let jobs: Vec<(String, i32)> = db.sql("SELECT status, attempt FROM job_queue").columns().await.unwrap();
    assert_eq!(jobs, [("pending".to_owned(), 0)]);
    let runs: Vec<(String, String)> = db.sql("SELECT action, status FROM action_runs").columns().await.unwrap();
    assert!(runs.contains(&("roles.endless".to_owned(), "cancelled".to_owned())), "{runs:?}");
    let next = listen(&database, &["worker"]).await;
    reaches(&next, "SELECT count(*) FROM line", 2).await;
    reaches(&next, "SELECT count(*) FROM job_queue WHERE status = 'running' AND attempt = 1", 1).await;
    soon("the shutdown", next.stop()).await.unwrap();
}
