//! With `BUNBASE_BENCH_MANY=1000` in the environment: so many more actions, to see that a request to one of them costs no more.

use std::{env, error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BUNBASE_BENCH_MANY");
    let count: usize = env::var("BUNBASE_BENCH_MANY").map_or(Ok(0), |text| text.parse())?;
    let mut actions = String::new();
    for n in 0..count {
        writeln!(
            actions,
            "/// One of many.\n#[bunbase::action(get = \"/many/r{n}/{{id}}\")]\nasync fn many_{n}(id: i64) -> bunbase::Result<i64> {{ Ok(id) }}"
        )?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("many.rs"), actions)?;
    println!("cargo::rustc-env=BUNBASE_BENCH_MANY={count}");
    Ok(())
}
