use bunbase::Result;

#[derive(Clone)]
struct Open;

#[bunbase::action(cron = "0 2 * * *", guards = [Open])]
async fn clean(#[guard] user: Open) -> Result<()> {
    let _ = user;
    Ok(())
}

fn main() {}
