use bunbase::Result;

#[derive(Clone)]
struct User;

#[bunbase::action(get = "/tasks")]
async fn list(#[guard] user: User) -> Result<()> {
    let _ = user;
    Ok(())
}

fn main() {}
