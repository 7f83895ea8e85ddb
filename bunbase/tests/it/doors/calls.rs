//! Actions that call each other.

use bunbase::{Error, invoke::CallError, prelude::*, testing::TestApp};

use super::soon;

bunbase::module!(prefix = "/t/calls");

/// Notes a step, in a transaction of its own.
#[action(post = "/step")]
async fn step(ctx: Ctx, n: i64, refuse: Option<bool>) -> Result<i64, StepFailure> {
    ctx.transaction(async |tx| {
        tx.sql("INSERT INTO step (n) VALUES ($1)").bind(n).execute().await?;
        Ok(())
    })
    .await?;
    if refuse == Some(true) { Err(StepFailure::Refused(n)) } else { Ok(n) }
}

/// How a step fails.
#[derive(ActionError, Debug)]
enum StepFailure {
    /// It is told to.
    #[error(status = 409, code = "step_refused", "step {0} is refused")]
    Refused(i64),
    #[error(framework)]
    Other(#[from] Error),
}

/// Calls steps as part of one transaction. What `refuse` names fails, and is left out; `abort` fails the whole.
#[action(post = "/walk")]
async fn walk(ctx: Ctx, steps: Vec<i64>, refuse: Option<i64>, abort: Option<bool>) -> Result<Vec<i64>> {
    ctx.transaction(async |tx| {
        let mut done = Vec::new();
        for n in &steps {
            let call = Step::new(*n).refuse(refuse == Some(*n));
            match tx.call(call).await {
                Ok(n) => done.push(n),
                Err(CallError::Action(StepFailure::Refused(n))) => assert_eq!(Some(n), refuse),
                Err(error) => return Err(error.into()),
            }
        }
        if abort == Some(true) { Err(Error::conflict("all of it")) } else { Ok(done) }
    })
    .await
}

/// Calls itself.
#[action]
async fn ouroboros(ctx: Ctx) -> Result<()> {
    ctx.call(Middle::new()).await?;
    Ok(())
}

/// Calls the one that called it.
#[action]
async fn middle(ctx: Ctx) -> Result<()> {
    ctx.call(Ouroboros::new()).await?;
    Ok(())
}

/// Tells who causes it, and which trace it belongs to.
#[action]
async fn whoami(ctx: Ctx) -> Result<String> {
    Ok(format!("{:?} {} {}", ctx.identity(), ctx.trace_id(), ctx.door()))
}

/// Asks another action who causes it.
#[action]
async fn ask(ctx: Ctx) -> Result<(String, String)> {
    ctx.identify(Identity::user("7"));
    let there = ctx.call(Whoami::new()).await?;
    Ok((format!("{:?} {} {}", ctx.identity(), ctx.trace_id(), ctx.door()), there))
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    app.db().sql("CREATE TABLE step (n BIGINT NOT NULL)").execute().await.unwrap();
    app
}

async fn steps(app: &TestApp) -> i64 {
    app.db().sql("SELECT count(*) FROM step").scalar().await.unwrap()
}

#[tokio::test]
async fn calls_inside_a_transaction_are_part_of_it() {
    let app = start().await;
    assert_eq!(soon("the walk", app.call(Walk::new(vec![1, 2, 3]))).await.unwrap(), [1, 2, 3]);
    assert_eq!(steps(&app).await, 3);
    let error = soon("the walk", app.call(Walk::new(vec![4, 5]).abort(true))).await.unwrap_err();
    assert_eq!(Error::from(error).status(), 409);
    assert_eq!(steps(&app).await, 3, "nothing of what was called stays");
}

#[tokio::test]
async fn what_a_failed_call_did_is_undone_and_the_transaction_goes_on() {
    let app = start().await;
    assert_eq!(soon("the walk", app.call(Walk::new(vec![1, 2, 3]).refuse(2))).await.unwrap(), [1, 3]);
    assert_eq!(steps(&app).await, 2);
}

#[tokio::test]
async fn a_circle_of_calls_is_told_with_its_chain() {
    let app = TestApp::start(App::new()).await;
    let error = format!("{:?}", app.call(Ouroboros::new()).await.unwrap_err());
    assert!(error.contains("calls.ouroboros → calls.middle → calls.ouroboros"), "{error}");
}

#[tokio::test]
async fn a_call_is_of_the_callers_identity_and_trace() {
    let app = TestApp::start(App::new()).await;
    let (here, there) = app.call(Ask::new()).await.unwrap();
    assert_eq!(here, there);
    assert!(here.starts_with(r#"User { id: "7""#) && here.ends_with(" call"), "{here}");
}
