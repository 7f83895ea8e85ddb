//! The command that runs seeds.

use super::{
    App, migrate,
    operate::{table, time},
    wiring,
};
use crate::{
    Result,
    config::Config,
    db::{Db, seed::SeedState},
};

/// What `seed` does.
#[derive(Debug, clap::Args)]
pub(super) struct SeedArguments {
    /// Lists the seeds and when they ran, instead of running any.
    #[arg(long, conflicts_with = "only")]
    list: bool,
    /// Runs this one alone, if it is due; may be said several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Does what `seed` says, and returns what to print.
pub(super) async fn run(app: App, config: &Config, arguments: SeedArguments) -> Result<String> {
    let db = Db::open(&wiring::database(config)).await?;
    let text = if arguments.list {
        let row = |seed: &SeedState| {
            let state = match seed.ran_at {
                _ if seed.changed => "CHANGED since it ran".to_owned(),
                Some(at) => time(at),
                None => "-".to_owned(),
            };
            let (kind, source) =
                (if seed.repeats { "each time" } else { "once" }, if seed.is_sql { "SQL file" } else { "Rust" });
            [seed.name.clone(), kind.to_owned(), source.to_owned(), state]
        };
        table(["NAME", "RUNS", "SOURCE", "RAN"], app.seeds.list(&db).await?.iter().map(row))
    } else {
        if config.database.migrate_on_start {
            app.migrations.up(&db).await?;
        }
        migrate::listed("seeded", &app.seeds.run(&db, &arguments.only).await?)
    };
    db.close().await;
    Ok(text)
}
