use bunbase::{
    Result,
    action::{Created, Sse},
};

#[bunbase::action(get = "/ticks", tool, cron = "0 2 * * *")]
async fn ticks() -> Result<Created<Sse<u8>>> {
    Err(bunbase::Error::bad_request("nothing"))
}

fn main() {}
