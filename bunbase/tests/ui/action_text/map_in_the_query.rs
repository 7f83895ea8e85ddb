use bunbase::Result;
use std::collections::BTreeMap;

#[bunbase::action(get = "/tasks")]
async fn list(filter: BTreeMap<String, u8>) -> Result<u64> {
    Ok(filter.len() as u64)
}

fn main() {}
