use bunbase::Result;

#[bunbase::main]
fn main() -> Result<()> {
    Ok(())
}
