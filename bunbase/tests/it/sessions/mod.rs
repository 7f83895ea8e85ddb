//! Who is signed in, and what guards make of it, behind every door.

mod guards;
mod instances;
mod tokens;

use std::{sync::Arc, time::Duration};

use bunbase::{
    context::Ctx,
    prelude::*,
    session::{Grant, SessionId},
    testing::{TestApp, TestRequest, TestResponse},
};
use tokio::sync::Notify;

bunbase::module!(name = "sessions", prefix = "/t/sessions");

/// What the cookie of a test is called: one of development.
const COOKIE: &str = "bunbase_session";

/// What the application keeps in a session.
#[schema]
#[derive(PartialEq, Eq)]
struct Seat {
    desk: u32,
}

/// Who is signed in.
#[schema]
#[derive(PartialEq, Eq)]
struct Known {
    user: String,
    organisation: Option<String>,
    roles: Vec<String>,
    permissions: Vec<String>,
    desk: Option<u32>,
    session: Option<Uuid>,
}

impl Known {
    fn of(user: &SignedIn) -> Self {
        Self {
            user: user.user().to_owned(),
            organisation: user.organisation().map(str::to_owned),
            roles: user.roles().to_vec(),
            permissions: user.permissions().to_vec(),
            desk: user.claims::<Seat>().ok().map(|seat| seat.desk),
            session: user.session().map(|SessionId(id)| id),
        }
    }
}

/// A token for those that send it themselves.
#[schema]
struct Token {
    token: String,
}

fn grant(user: &str) -> Grant {
    let grant = Grant::user(user).role("editor").permission("tasks:*").organisation("acme");
    grant.claims(&Seat { desk: 3 }).unwrap()
}

/// Signs anybody in.
#[action(post = "/sign-in")]
async fn sign_in(ctx: Ctx, user: String) -> Result<Token> {
    let issued = ctx.session().sign_in(grant(&user)).await?;
    Ok(Token { token: issued.token })
}

/// Where sign-ins wait that have checked a password, until something has happened elsewhere.
#[derive(Default)]
struct Halt {
    checked: Notify,
    go: Notify,
}

/// Signs in who has shown the right password, some time ago.
#[action(post = "/sign-in-slowly")]
async fn sign_in_slowly(ctx: Ctx, user: String) -> Result<Token> {
    let halt = ctx.state::<Arc<Halt>>()?;
    halt.checked.notify_one();
    halt.go.notified().await;
    let issued = ctx.session().sign_in(grant(&user)).await?;
    Ok(Token { token: issued.token })
}

/// Signs out everywhere and in again, as after a change of the password.
#[action(post = "/begin-anew")]
async fn begin_anew(ctx: Ctx, user: String) -> Result<Token> {
    ctx.session().sign_out_everywhere(&user).await?;
    let issued = ctx.session().sign_in(grant(&user)).await?;
    Ok(Token { token: issued.token })
}

/// Signs somebody out everywhere before it has committed what it wrote.
#[action(post = "/too-early", status = 204)]
async fn too_early(ctx: Ctx, user: String) -> Result<()> {
    ctx.transaction(async |_| ctx.session().sign_out_everywhere(&user).await).await
}

/// Does the same by being idempotent.
#[action(post = "/too-early-at-its-end", status = 204, idempotent)]
async fn too_early_at_its_end(ctx: Ctx, user: String) -> Result<()> {
    ctx.kv().set("anything", &user, Duration::from_mins(1)).await?;
    ctx.session().sign_out_everywhere(&user).await
}

/// Signs in by calling another action.
#[action(post = "/sign-in-nested", status = 204)]
async fn sign_in_nested(ctx: Ctx, user: String) -> Result<()> {
    ctx.call(SignIn::new(user.clone())).await?;
    // The caller knows.
    assert_eq!(ctx.provide::<SignedIn>().await?.user(), user);
    Ok(())
}

/// Signs in, and fails.
#[action(post = "/sign-in-failing")]
async fn sign_in_failing(ctx: Ctx, user: String) -> Result<()> {
    ctx.session().sign_in(grant(&user)).await?;
    Err(bunbase::Error::conflict("on second thoughts"))
}

/// Signs out.
#[action(post = "/sign-out", status = 204)]
async fn sign_out(ctx: Ctx) -> Result<()> {
    ctx.session().sign_out().await
}

/// Signs somebody out everywhere.
#[action(post = "/sign-out-everywhere", status = 204)]
async fn sign_out_everywhere(ctx: Ctx, user: String) -> Result<()> {
    ctx.session().sign_out_everywhere(user).await
}

/// Makes whoever is signed in an administrator.
#[action(post = "/promote", status = 204)]
async fn promote(ctx: Ctx, #[guard] user: SignedIn) -> Result<()> {
    ctx.session().change(Grant::user(user.user()).role("admin")).await?;
    Ok(())
}

/// Renews a bearer's token.
#[action(post = "/renew")]
async fn renew(ctx: Ctx) -> Result<Option<Token>> {
    Ok(ctx.session().renew().await?.map(|issued| Token { token: issued.token }))
}

/// Says that whoever is signed in has proved who they are.
#[action(post = "/prove", status = 204)]
async fn prove(ctx: Ctx) -> Result<()> {
    ctx.session().prove().await?;
    Ok(())
}

/// Gives a page its token.
#[action(get = "/page-token")]
async fn page_token(ctx: Ctx) -> Result<Option<String>> {
    ctx.session().csrf_token()
}

/// Tells who is signed in.
#[action(get = "/me", tool)]
async fn me(#[guard] user: SignedIn) -> Result<Known> {
    Ok(Known::of(&user))
}

/// Tells who is signed in, if anybody is.
#[action(get = "/maybe")]
async fn maybe(#[guard] user: Option<SignedIn>) -> Result<Option<Known>> {
    Ok(user.map(|user| Known::of(&user)))
}

/// Is for administrators.
#[action(get = "/admin", guards = [has_role("admin")])]
async fn admin() -> Result<String> {
    Ok("in".to_owned())
}

/// Is for those who may write tasks.
#[action(get = "/write", guards = [has_permission("tasks:write")])]
async fn write() -> Result<String> {
    Ok("in".to_owned())
}

/// Is for those who may delete users.
#[action(get = "/delete", guards = [has_permission("users:delete")])]
async fn delete() -> Result<String> {
    Ok("in".to_owned())
}

/// Is for those who have just proved who they are.
#[action(post = "/danger", guards = [step_up(5 * MINUTE)])]
async fn danger() -> Result<String> {
    Ok("in".to_owned())
}

/// Is for administrators and machines, and for editors who have just signed in.
#[action(get = "/report", guards = [any((has_role("admin"), api_key(), all((has_role("editor"), step_up(MINUTE)))))])]
async fn report() -> Result<String> {
    Ok("in".to_owned())
}

/// Who a job found to have caused it.
#[derive(Default)]
struct Found(std::sync::Mutex<Vec<Known>>);

/// Has a job done, in the name of whoever is signed in.
#[action(post = "/later", status = 202)]
async fn later(ctx: Ctx, #[guard] _user: SignedIn) -> Result<()> {
    ctx.enqueue(Work::new()).await?;
    Ok(())
}

/// Tells whoever listens, in the name of whoever is signed in.
#[action(post = "/announce", status = 202)]
async fn announce(ctx: Ctx, #[guard] _user: SignedIn) -> Result<()> {
    ctx.emit("sessions.announced", &serde_json::json!({})).await?;
    Ok(())
}

/// Works for an editor.
#[action(event = "sessions.announced", guards = [has_role("editor")])]
async fn work(ctx: Ctx, #[guard] user: SignedIn) -> Result<()> {
    ctx.state::<Found>()?.0.lock().unwrap().push(Known::of(&user));
    Ok(())
}

fn app() -> App {
    App::new().state(Found::default()).state(ApiKeys::new().with("ci", "the-key-of-a-machine"))
}

/// Signs in over HTTP, and returns the cookie's value.
async fn cookie_of(app: &TestApp, user: &str) -> String {
    let answer = app.post("/t/sessions/sign-in").json(&SignIn::new(user.to_owned())).send().await.assert_status(200);
    let cookie = answer.set_cookie(COOKIE).expect("the answer sets a cookie").to_owned();
    assert_eq!(answer.json::<Token>().token, cookie);
    cookie
}

async fn send_with(request: TestRequest<'_>, cookie: &str) -> TestResponse {
    request.cookie(COOKIE, cookie).header("sec-fetch-site", "same-origin").send().await
}
