use bunbase::Result;

#[bunbase::main]
async fn main(arguments: Vec<String>) -> Result<()> {
    Ok(())
}
