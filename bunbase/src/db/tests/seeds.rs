//! Seeds in Rust and in SQL files, on both engines.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{
    super::{migrate::Plan, seed::Seeds},
    *,
};

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn tables() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "0001_tables.sql",
        "CREATE TABLE country (code TEXT NOT NULL); CREATE TABLE price (n BIGINT NOT NULL)",
    );
    folder
}

fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "0001_countries.sql", "INSERT INTO country VALUES ('DE'); INSERT INTO country VALUES ('FR')");
    write(folder.path(), "0003_prices.repeat.sql", "INSERT INTO price VALUES (1)");
    folder
}

fn seeds(folder: &TempDir) -> Seeds {
    Seeds::new().sql_dir(folder.path()).once("0002_more", async |tx| {
        tx.sql("INSERT INTO country VALUES ($1)").bind("IT").execute().await?;
        Ok(())
    })
}

async fn count(db: &Db, table: &str) -> i64 {
    db.sql(&format!("SELECT count(*) FROM {table}")).scalar().await.unwrap()
}

#[tokio::test]
async fn seeds_run_in_the_order_of_their_names_once_or_each_time() {
    let (tables, files) = (tables(), files());
    for (_database, db) in each().await {
        Plan::new().sql_dir(tables.path()).up(&db).await.unwrap();
        let seeds = seeds(&files);
        assert!(seeds.list(&db).await.unwrap().iter().all(|seed| seed.ran_at.is_none()));
        assert_eq!(seeds.run(&db, &["0002_more".to_owned()]).await.unwrap(), ["0002_more"]);
        assert_eq!(seeds.run(&db, &[]).await.unwrap(), ["0001_countries", "0003_prices"]);
        assert_eq!(seeds.run(&db, &[]).await.unwrap(), ["0003_prices"]);
        assert_eq!((count(&db, "country").await, count(&db, "price").await), (3, 2));
        let listed = seeds.list(&db).await.unwrap();
        assert!(listed.iter().all(|seed| seed.ran_at.is_some() && !seed.changed));
        let kinds: Vec<_> = listed.iter().map(|seed| (seed.name.as_str(), seed.is_sql, seed.repeats)).collect();
        assert_eq!(kinds, [("0001_countries", true, false), ("0002_more", false, false), ("0003_prices", true, true)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_instances_may_migrate_and_seed_at_once() {
    let (tables, files) = (tables(), files());
    for database in TestDatabase::each().await.unwrap() {
        let mut instances = JoinSet::new();
        let plan = Plan::new().sql_dir(tables.path());
        for _ in 0..10 {
            let (settings, plan, seeds) = (database.settings(), plan.clone(), seeds(&files));
            instances.spawn(async move {
                let db = Db::open(&settings).await?;
                plan.up(&db).await?;
                let ran = seeds.run(&db, &[]).await;
                db.close().await;
                ran
            });
        }
        let mut ran: Vec<String> = instances.join_all().await.into_iter().flat_map(crate::Result::unwrap).collect();
        ran.sort();
        let each_time = vec!["0003_prices".to_owned(); 10];
        assert_eq!(ran, [vec!["0001_countries".to_owned(), "0002_more".to_owned()], each_time].concat());
        let db = database.db().await.unwrap();
        assert_eq!((count(&db, "country").await, count(&db, "price").await), (3, 10));
    }
}

#[tokio::test]
async fn a_seed_that_fails_is_named_and_leaves_nothing_but_those_before_it() {
    let (tables, files) = (tables(), files());
    for (_database, db) in each().await {
        Plan::new().sql_dir(tables.path()).up(&db).await.unwrap();
        let tries = Arc::new(AtomicU32::new(0));
        let counted = tries.clone();
        let seeds = Seeds::new().sql_dir(files.path()).once("0002_half", move |tx| {
            let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                tx.sql("INSERT INTO country VALUES ('XX')").execute().await?;
                if first { Err(crate::Error::conflict("not today")) } else { Ok(()) }
            }
        });
        let error = seeds.run(&db, &[]).await.unwrap_err();
        assert_eq!(error.code(), "seed_failed");
        assert!(error.detail().contains("`0002_half`"), "{error}");
        assert_eq!((count(&db, "country").await, count(&db, "price").await), (2, 0));
        assert_eq!(seeds.run(&db, &[]).await.unwrap(), ["0002_half", "0003_prices"], "it goes on where it stopped");
    }
}

#[tokio::test]
async fn a_file_that_ran_and_has_changed_stops_everything_unless_it_runs_each_time() {
    let tables = tables();
    for (_database, db) in each().await {
        let files = files();
        Plan::new().sql_dir(tables.path()).up(&db).await.unwrap();
        let seeds = seeds(&files);
        seeds.run(&db, &[]).await.unwrap();
        write(files.path(), "0003_prices.repeat.sql", "INSERT INTO price VALUES (2)");
        assert_eq!(seeds.run(&db, &[]).await.unwrap(), ["0003_prices"]);
        write(files.path(), "0001_countries.sql", "INSERT INTO country VALUES ('ES')");
        let error = seeds.run(&db, &[]).await.unwrap_err();
        assert_eq!(error.code(), "seed_changed");
        assert!(error.detail().contains("`0001_countries.sql`") && error.detail().contains(".repeat.sql"), "{error}");
        assert!(seeds.list(&db).await.unwrap()[0].changed);
        assert_eq!(count(&db, "price").await, 2);
    }
}

#[tokio::test]
async fn mistakes_in_names_and_files_are_told_before_anything_runs() {
    let db = Db::open(&super::super::Settings::new("sqlite::memory:")).await.unwrap();
    let files = files();
    let twice = seeds(&files).once("0001_countries", async |_| Ok(()));
    assert!(twice.run(&db, &[]).await.unwrap_err().detail().contains("two seeds are named `0001_countries`"));
    let unknown = seeds(&files).run(&db, &["0009_x".to_owned()]).await.unwrap_err();
    assert_eq!(unknown.code(), "seed_unknown");
    assert!(unknown.detail().contains("0001_countries, 0002_more, 0003_prices"), "{unknown}");
    write(files.path(), "0004_tx.sql", "BEGIN; SELECT 1; COMMIT");
    assert!(seeds(&files).run(&db, &[]).await.unwrap_err().detail().contains("`0004_tx.sql`"));
    write(files.path(), "0004_tx.sql", "-- later");
    assert!(seeds(&files).run(&db, &[]).await.unwrap_err().detail().contains("no statement yet"));
}

#[tokio::test]
async fn a_seed_that_keeps_its_transaction_is_refused() {
    for (_database, db) in each().await {
        let kept = Arc::new(std::sync::Mutex::new(None));
        let keeps = kept.clone();
        let seeds = Seeds::new().once("keeps", move |tx| {
            *keeps.lock().unwrap() = Some(tx);
            async { Ok(()) }
        });
        let error = seeds.run(&db, &[]).await.unwrap_err();
        assert!(format!("{error:?}").contains("still holds its transaction"), "{error:?}");
        assert_eq!(
            Seeds::new()
                .lock_timeout(Duration::from_secs(5))
                .once("next", async |_| Ok(()))
                .run(&db, &[])
                .await
                .unwrap(),
            ["next"]
        );
    }
}
