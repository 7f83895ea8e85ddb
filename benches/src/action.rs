//! The endpoint as an action.

use bunbase::prelude::*;

use crate::sessions;

/// What is made.
#[schema]
struct Item {
    id: i64,
    name: String,
    tags: Vec<String>,
}

/// Makes an item.
#[action(post = "/shops/{shop_id}/items")]
async fn make_item(
    shop_id: i64,
    #[header("X-Tenant")] tenant: Option<String>,
    #[validate(length(min = 1, max = 200))] name: String,
    #[validate(length(max = 10))] tags: Vec<String>,
) -> Result<Item> {
    Ok(Item { id: shop_id, name: tenant.map_or(name.clone(), |tenant| format!("{tenant}:{name}")), tags })
}

/// Makes an item for whoever is signed in.
#[action(post = "/shops/{shop_id}/signed-items")]
async fn make_signed_item(
    #[guard] user: SignedIn,
    shop_id: i64,
    #[header("X-Tenant")] tenant: Option<String>,
    #[validate(length(min = 1, max = 200))] name: String,
    #[validate(length(max = 10))] tags: Vec<String>,
) -> Result<Item> {
    let _ = user;
    Ok(Item { id: shop_id, name: tenant.map_or(name.clone(), |tenant| format!("{tenant}:{name}")), tags })
}

/// The hash of the one password, made when it is first asked for.
#[derive(Default)]
struct Known(tokio::sync::OnceCell<String>);

/// Signs in whoever has the password.
#[action(post = "/sign-in")]
async fn sign_in(ctx: Ctx, #[sensitive] password: String) -> Result<bool> {
    let hash = ctx.state::<Known>()?.0.get_or_try_init(|| ctx.passwords().hash(sessions::PASSWORD)).await?;
    if !ctx.passwords().check(&password, Some(hash)).await?.is_right() {
        return Err(bunbase::Error::unauthorized("that is another password"));
    }
    ctx.session().sign_in(Grant::user(7)).await?;
    Ok(true)
}

/// Serves it with one worker and no log, until the process is killed. `settings` are keys and values, `log.level=info`.
pub(crate) fn serve(url: &str, settings: &[&str]) -> Result<()> {
    let app = App::new()
        .config("http.port", 0)
        .config("http.workers", 1)
        .config("log.level", "off")
        .config("database.url", url)
        .config("app.secret", sessions::SECRET)
        .state(Known::default());
    let app = settings.iter().filter_map(|setting| setting.split_once('=')).fold(app, |app, (key, value)| {
        // As text, which becomes what the key asks for.
        app.config(key, bunbase::config::Value::Text(value.to_owned()))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(app.serve())
}
