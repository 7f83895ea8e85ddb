#[bunbase::main]
async fn main() -> u8 {
    1
}
