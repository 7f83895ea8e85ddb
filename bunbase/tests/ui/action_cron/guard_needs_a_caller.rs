use bunbase::{
    Result,
    guard::{ApiKey, api_key},
};

#[bunbase::action(get = "/clean", cron = "0 2 * * *", guards = [api_key()])]
async fn clean(#[guard] caller: ApiKey, #[guard] other: Option<ApiKey>) -> Result<()> {
    let _ = (caller, other);
    Ok(())
}

fn main() {}
