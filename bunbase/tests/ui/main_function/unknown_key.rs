use bunbase::Result;

#[bunbase::main(threads = 4)]
async fn main() -> Result<()> {
    Ok(())
}
