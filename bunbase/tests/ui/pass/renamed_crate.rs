//! A crate that knows bunbase by another name says so once, at its root; here both names are there.
extern crate bunbase as framework;

/// Says hello.
#[framework::action(get = "/hello/{name}")]
async fn hello(name: String) -> framework::Result<String> {
    Ok(format!("Hello, {name}!"))
}

#[framework::main]
async fn main() -> framework::Result<()> {
    let _ = Hello::new(hello("you".to_owned()).await?);
    Ok(())
}
