//! The application whose processes are killed: jobs with effects that are counted, and events that follow them.

use bunbase::{
    migration::{
        MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
        schema::{big_integer, pk_auto},
        sea_query::Table,
    },
    prelude::*,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Tables of one number a row, and nothing that would keep a number from being there twice.
const TABLES: [&str; 4] = ["fed", "worked", "told", "paid"];

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(Numbers)]
    }
}

struct Numbers;

impl MigrationName for Numbers {
    fn name(&self) -> &'static str {
        "m0001_numbers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Numbers {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in TABLES {
            let table = Table::create().table(name).col(pk_auto("id")).col(big_integer("n")).to_owned();
            manager.create_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in TABLES {
            manager.drop_table(Table::drop().table(name).to_owned()).await?;
        }
        Ok(())
    }
}

/// A job is done.
#[event("number.worked")]
pub struct Worked {
    /// Its number.
    pub n: i64,
}

/// Stores jobs, and a row for each, in one transaction.
#[action(post = "/feed")]
async fn feed(ctx: Ctx, from: i64, count: i64) -> Result<()> {
    ctx.transaction(async |tx| {
        for n in from..from + count {
            tx.sql("INSERT INTO fed (n) VALUES ($1)").bind(n).execute().await?;
            tx.enqueue(Work::new(n)).unique_key(n).await?;
        }
        Ok(())
    })
    .await
}

/// Has an effect that is counted each time, and one that must happen once: `idempotent` stores with it that it has happened.
#[action(idempotent, retry(attempts = 100, base = "10ms", max = "100ms"))]
async fn work(ctx: Ctx, n: i64) -> Result<()> {
    // The row is there before the job is: a job never starts before its transaction has committed.
    let fed: i64 = ctx.sql("SELECT count(*) FROM fed WHERE n = $1").bind(n).scalar().await?;
    if fed != 1 {
        return Err(bunbase::Error::internal(format!("job {n} runs and {fed} rows of it are visible")));
    }
    ctx.sql("INSERT INTO worked (n) VALUES ($1)").bind(n).execute().await?;
    ctx.emit_event(&Worked { n }).await?;
    Ok(())
}

/// Hears of what was done.
#[action(event = Worked, idempotent, retry(attempts = 100, base = "10ms", max = "100ms"))]
async fn tell(ctx: Ctx, n: i64) -> Result<()> {
    ctx.sql("INSERT INTO told (n) VALUES ($1)").bind(n).execute().await?;
    Ok(())
}

/// Takes a payment, once for each idempotency key, and takes its time.
#[action(post = "/payments", status = 201, idempotent)]
async fn pay(ctx: Ctx, amount: i64) -> Result<String> {
    ctx.sql("INSERT INTO paid (n) VALUES ($1)").bind(amount).execute().await?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    // Different each time that it runs.
    Ok(Uuid::new_v4().to_string())
}

/// Fails for one number of ten, and touches nothing.
#[action(post = "/judge")]
async fn judge(n: i64) -> Result<()> {
    tracing::info!(n, "judging");
    if n % 10 == 7 { Err(bunbase::Error::conflict("one of ten")) } else { Ok(()) }
}

/// Lets fifty calls through.
#[action(post = "/limited", guards = [rate_limit(50).per(HOUR).by_ip()])]
async fn limited() -> Result<()> {
    Ok(())
}

/// Signs anybody in, and answers the token.
#[action(post = "/sign-in")]
async fn sign_in(ctx: Ctx, user: String) -> Result<String> {
    Ok(ctx.session().sign_in(Grant::user(user)).await?.token)
}

/// Signs out.
#[action(post = "/sign-out", status = 204)]
async fn sign_out(ctx: Ctx) -> Result<()> {
    ctx.session().sign_out().await
}

/// Tells who is signed in.
#[action(get = "/me")]
async fn me(#[guard] user: SignedIn) -> Result<String> {
    Ok(user.user().to_owned())
}

/// Shows what is kept for a moment, and needs nothing else.
#[action(get = "/kept", cache(ttl = "100ms"))]
async fn kept(ctx: Ctx) -> Result<i64> {
    Ok(ctx.now().timestamp_millis())
}

/// Counts in the key-value store.
#[action(post = "/count")]
async fn count_up(ctx: Ctx) -> Result<i64> {
    ctx.kv().increment("outage", 1, None).await
}

/// Reads the database.
#[action(get = "/rows")]
async fn count_rows(ctx: Ctx) -> Result<i64> {
    ctx.sql("SELECT count(*) FROM paid").scalar().await
}

/// Takes its time.
#[action(post = "/linger")]
async fn linger(millis: u64) -> Result<()> {
    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
    Ok(())
}

/// Waits in the middle of its work until the test says a word at `address`, and has its effect then.
#[action(idempotent, retry(attempts = 5, base = "10ms"))]
async fn hold(ctx: Ctx, n: i64, address: String) -> Result<()> {
    TcpStream::connect(&address).await?.read_u8().await?;
    ctx.sql("INSERT INTO worked (n) VALUES ($1)").bind(n).execute().await?;
    Ok(())
}

/// Stores a job that waits for the test.
#[action(post = "/hold", status = 201)]
async fn store_hold(ctx: Ctx, n: i64, address: String) -> Result<String> {
    Ok(ctx.enqueue(Hold::new(n, address)).await?.id.to_string())
}

#[bunbase::main]
async fn main() -> Result<()> {
    App::new().config("app.name", "crash").migrations::<Migrator>().run().await
}
