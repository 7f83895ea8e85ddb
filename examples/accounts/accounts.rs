//! Accounts: signing up, in and out, and who may do what.

use bunbase::{password::Checked, prelude::*};

bunbase::module!(name = "accounts", prefix = "/accounts", description = "People who sign up and in.");

/// An account, as its owner and administrators see it. The hash of its password is no part of it.
#[schema]
#[derive(PartialEq, Eq, FromQueryResult)]
pub struct Account {
    pub id: i64,
    /// The address, in small letters.
    pub email: String,
    pub name: String,
    /// `member` or `admin`.
    pub role: String,
    /// When it signed up.
    pub created_at: DateTimeUtc,
}

/// How many there are.
#[schema]
pub struct Count {
    /// How many accounts there are.
    pub accounts: i64,
}

/// Why somebody is not let in, or does not get an account.
#[derive(ActionError, Debug)]
pub enum AccountError {
    /// Another account has this address.
    #[error(status = 409, code = "email_taken", "there is an account with this address; sign in")]
    Taken,
    /// The password is one that would be guessed.
    #[error(status = 422, code = "password_weak", "the password {0}")]
    Weak(String),
    /// Nobody has this address and password. Which of them is wrong is not told.
    #[error(status = 401, code = "credentials_wrong", retry = never, "that address and password are nobody's")]
    Wrong,
    /// No account has this address.
    #[error(status = 404, code = "account_missing", "there is no account with this address")]
    Missing,
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// An account with what only this file sees.
#[derive(FromQueryResult)]
struct Row {
    id: i64,
    email: String,
    name: String,
    password_hash: String,
    role: String,
    created_at: DateTimeUtc,
}

impl Row {
    fn grant(&self) -> Grant {
        Grant::user(self.id).role(&self.role)
    }
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        Self { id: row.id, email: row.email, name: row.name, role: row.role, created_at: row.created_at }
    }
}

const BY_EMAIL: &str = "SELECT * FROM accounts WHERE email = $1";
const BY_ID: &str = "SELECT * FROM accounts WHERE id = $1";
const ADD: &str = "INSERT INTO accounts (email, name, password_hash, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (email) DO NOTHING RETURNING *";
/// Only where it is the one that was looked at: what somebody else has changed meanwhile stays.
const SET_PASSWORD: &str = "UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
const SET_ROLE: &str = "UPDATE accounts SET role = 'admin' WHERE email = $1 RETURNING *";
const ALL: &str = "SELECT id, email, name, role, created_at FROM accounts ORDER BY id LIMIT 100";

/// Whoever guesses passwords is slowed down by the address that they guess for, wherever they come from. So is its owner meanwhile; an application
/// that cannot have that sends a link by mail, or asks for a second factor.
async fn not_too_often(ctx: &Ctx, input: &SignIn) -> Result<()> {
    Ok(rate_limit(10).per(15 * MINUTE).shared("sign-in").check(ctx, &input.email.to_lowercase()).await?)
}

async fn hash(ctx: &Ctx, password: &str, about: &[&str]) -> Result<String, AccountError> {
    let judged = ctx.passwords().judge(password, about).await?;
    judged.map_err(|weakness| AccountError::Weak(weakness.to_string()))?;
    Ok(ctx.passwords().hash(password).await?)
}

/// Signs up.
///
/// It tells whether an address has an account already. An application for which that is a secret answers the same in both cases, and
/// sends the rest by mail.
#[action(post = "/sign-up", status = 201, guards = [rate_limit(20).per(HOUR).by_ip()])]
pub async fn sign_up(
    ctx: Ctx,
    #[validate(email, length(max = 254))] email: String,
    #[sensitive] password: String,
    #[validate(length(min = 1, max = 100))] name: String,
) -> Result<Account, AccountError> {
    let email = email.to_lowercase();
    let hash = hash(&ctx, &password, &[&email, &name, "accounts"]).await?;
    let row: Option<Row> = ctx.sql(ADD).bind(email).bind(name).bind(hash).bind(ctx.now()).optional().await?;
    row.map(Account::from).ok_or(AccountError::Taken)
}

/// Signs in: the answer sets the cookie of a session.
#[action(post = "/sign-in", guards = [rate_limit(30).per(MINUTE).by_ip()], check_input = not_too_often)]
pub async fn sign_in(ctx: Ctx, email: String, #[sensitive] password: String) -> Result<Account, AccountError> {
    // Not from a replica, where a password that was changed may still be the old one.
    let row: Option<Row> = ctx.db().primary().sql(BY_EMAIL).bind(email.to_lowercase()).optional().await?;
    // As long for an address that nobody has as for one with another password.
    let checked = ctx.passwords().check(&password, row.as_ref().map(|row| row.password_hash.as_str())).await?;
    let (Some(row), Checked::Right { rehash }) = (row, checked) else { return Err(AccountError::Wrong) };
    if rehash {
        let hash = ctx.passwords().hash(&password).await?;
        ctx.sql(SET_PASSWORD).bind(row.id).bind(&*row.password_hash).bind(hash).execute().await?;
    }
    // Refused where the user was signed out everywhere since this run began.
    ctx.session().sign_in(row.grant()).await?;
    Ok(row.into())
}

/// Signs out, here.
#[action(post = "/sign-out", status = 204)]
pub async fn sign_out(ctx: Ctx) -> Result<()> {
    ctx.session().sign_out().await
}

/// Shows one's own account.
#[action(get = "/me")]
pub async fn me(ctx: Ctx, #[guard] user: SignedIn) -> Result<Account, AccountError> {
    let row: Option<Row> = ctx.sql(BY_ID).bind(user.user_id::<i64>()?).optional().await?;
    row.map(Account::from).ok_or(AccountError::Missing)
}

/// Changes one's own password, and signs out everywhere else.
///
/// The sign-in must be of the last quarter of an hour.
#[action(put = "/password", guards = [step_up(15 * MINUTE), rate_limit(10).per(15 * MINUTE).by_user()])]
pub async fn change_password(
    ctx: Ctx,
    #[guard] user: SignedIn,
    #[sensitive] current: String,
    #[sensitive] new: String,
) -> Result<Account, AccountError> {
    let row: Option<Row> = ctx.db().primary().sql(BY_ID).bind(user.user_id::<i64>()?).optional().await?;
    let row = row.ok_or(AccountError::Missing)?;
    if !ctx.passwords().check(&current, Some(&row.password_hash)).await?.is_right() {
        return Err(AccountError::Wrong);
    }
    let hash = hash(&ctx, &new, &[&row.email, &row.name, "accounts"]).await?;
    if ctx.sql(SET_PASSWORD).bind(row.id).bind(&*row.password_hash).bind(hash).execute().await? == 0 {
        return Err(AccountError::Wrong);
    }
    ctx.session().sign_out_everywhere(row.id).await?;
    ctx.session().sign_in(row.grant()).await?;
    Ok(row.into())
}

/// Lists accounts, for administrators.
#[action(get = "/admin", guards = [has_role("admin")])]
pub async fn admin(ctx: Ctx) -> Result<Vec<Account>> {
    ctx.sql(ALL).all().await
}

/// Counts accounts, for machines and administrators.
#[action(get = "/report", guards = [any((api_key(), has_role("admin")))])]
pub async fn report(ctx: Ctx) -> Result<Count> {
    Ok(Count { accounts: ctx.sql("SELECT count(*) FROM accounts").scalar().await? })
}

/// Makes somebody an administrator. It has no door: whoever has the machine calls it there.
#[action]
pub async fn make_admin(ctx: Ctx, email: String) -> Result<Account, AccountError> {
    let row: Option<Row> = ctx.sql(SET_ROLE).bind(email.to_lowercase()).optional().await?;
    let row = row.ok_or(AccountError::Missing)?;
    // A session says what its user might do when it began.
    ctx.session().sign_out_everywhere(row.id).await?;
    Ok(row.into())
}
