//! What an operator asks of a database, on both engines where both can.

use std::path::Path;

use sea_orm::DbBackend;
use tokio::sync::watch;

use super::{super::operate, *};
use crate::db::Settings;

#[tokio::test]
async fn a_plan_is_shown_and_nothing_is_run() {
    for (_database, db) in each_with_tasks().await {
        let plan = operate::explain(&db, "SELECT * FROM task WHERE id = $1", false).await;
        if db.backend() == DbBackend::Postgres {
            let version: i32 = db.sql("SELECT current_setting('server_version_num')::int").scalar().await.unwrap();
            match plan {
                Ok(plan) => assert!(plan.contains("task"), "{plan}"),
                Err(error) => assert!(version < 160_000 && error.detail().contains("before version 16"), "{error}"),
            }
        } else {
            assert!(plan.unwrap().starts_with("SEARCH task"));
        }
        let before: i64 = db.sql("SELECT count(*) FROM task").scalar().await.unwrap();
        let plan = operate::explain(&db, "DELETE FROM task;", false).await.unwrap();
        assert!(!plan.is_empty());
        for wrong in
            ["", "-- nothing", "SELECT 1; DELETE FROM task", "SELECT * FROM nowhere", "ANALYZE DELETE FROM task"]
        {
            let error = operate::explain(&db, wrong, false).await.unwrap_err();
            assert_eq!((error.status(), error.code()), (400, "explain"), "{wrong}");
        }
        assert_eq!(db.sql("SELECT count(*) FROM task").scalar::<i64>().await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_plan_with_times_is_taken_back_on_postgres_and_refused_on_sqlite() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let told = operate::explain(&db, "DELETE FROM counter", true).await;
        if db.backend() == DbBackend::Postgres {
            assert!(told.unwrap().contains("actual time"));
            let error = operate::explain(&db, "DELETE FROM counter WHERE n = $1", true).await.unwrap_err();
            assert!(error.detail().contains("values in the place"), "{error}");
        } else {
            assert!(told.unwrap_err().detail().contains("--analyze"));
        }
        assert_eq!(db.sql("SELECT count(*) FROM counter").scalar::<i64>().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn slow_statements_are_listed_or_it_is_said_what_to_do() {
    for (_database, db) in each().await {
        let error = operate::slow(&db).await.unwrap_err();
        assert_eq!(error.code(), "statements_not_counted");
        if db.backend() == DbBackend::Postgres {
            assert!(error.detail().contains("CREATE EXTENSION pg_stat_statements"), "{error}");
            // The view is there, and counts only where the server was started with its library.
            db.sql("CREATE EXTENSION pg_stat_statements").execute().await.unwrap();
            let loaded: String = db.sql("SHOW shared_preload_libraries").scalar().await.unwrap();
            match operate::slow(&db).await {
                Ok(statements) => assert!(loaded.contains("pg_stat_statements") && statements.len() <= 10),
                Err(error) => assert!(error.detail().contains("shared_preload_libraries"), "{error}"),
            }
        }
    }
}

async fn sqlite_with_rows(folder: &Path, rows: i64) -> (Settings, Db) {
    let settings = Settings::new(format!("sqlite://{}", folder.join("app.db").display()));
    let db = Db::open(&settings).await.unwrap();
    db.sql("CREATE TABLE entry (id INTEGER PRIMARY KEY, batch BIGINT NOT NULL)").execute().await.unwrap();
    for batch in 0..rows {
        two(&db, batch).await;
    }
    (settings, db)
}

/// Two rows that are there together or not at all.
async fn two(db: &Db, batch: i64) {
    let insert = "INSERT INTO entry (batch) VALUES ($1), ($1)";
    db.transaction(async |tx: &Tx| tx.sql(insert).bind(batch).execute().await).await.unwrap();
}

async fn count(db: &Db) -> i64 {
    db.sql("SELECT count(*) FROM entry").scalar().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_while_others_write_has_whole_transactions_and_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, db) = sqlite_with_rows(folder.path(), 50).await;
    let (stop, stopped) = watch::channel(false);
    let (written, mut seen) = watch::channel(0);
    let writer = tokio::spawn(async move {
        let other = Db::open(&settings).await.unwrap();
        let mut batch = 1000;
        while !*stopped.borrow() {
            two(&other, batch).await;
            batch += 1;
            written.send_replace(batch);
        }
        other.close().await;
    });
    for number in 0..5 {
        let before = *seen.borrow_and_update();
        seen.wait_for(|batch| *batch > before).await.unwrap();
        let file = folder.path().join(format!("{number}.backup"));
        assert!(operate::backup(&db, &file, false).await.unwrap() > 0);
        let copy = Db::open(&Settings::new(format!("sqlite://{}", file.display()))).await.unwrap();
        assert!(count(&copy).await >= 100);
        let halves = "SELECT count(*) FROM (SELECT batch FROM entry GROUP BY batch HAVING count(*) <> 2)";
        assert_eq!(copy.sql(halves).scalar::<i64>().await.unwrap(), 0);
        copy.close().await;
    }
    stop.send_replace(true);
    writer.await.unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[tokio::test]
async fn a_backup_replaces_nothing_unless_it_is_told_to_and_never_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (_, db) = sqlite_with_rows(folder.path(), 1).await;
    let file = folder.path().join("copy.db");
    std::fs::write(&file, "precious").unwrap();
    assert_eq!(operate::backup(&db, &file, false).await.unwrap_err().code(), "file_exists");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    operate::backup(&db, &file, true).await.unwrap();
    let own = operate::backup(&db, &folder.path().join("app.db"), true).await.unwrap_err();
    assert!(own.detail().contains("is the database itself"), "{own}");
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn a_restore_needs_a_database_that_nobody_uses_and_the_word_to_replace_it() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, db) = sqlite_with_rows(folder.path(), 1).await;
    let file = folder.path().join("copy.db");
    operate::backup(&db, &file, false).await.unwrap();
    two(&db, 7).await;
    assert_eq!(operate::restore(&settings, &file, false).await.unwrap_err().code(), "database_exists");
    let error = operate::restore(&settings, &file, true).await.unwrap_err();
    assert_eq!(error.code(), "database_in_use");
    assert_eq!(count(&db).await, 4, "it goes on");
    two(&db, 8).await;
    db.close().await;
    assert_eq!(operate::restore(&settings, &file, true).await.unwrap(), folder.path().join("app.db"));
    let db = Db::open(&settings).await.unwrap();
    assert_eq!(count(&db).await, 2);
    two(&db, 9).await;
}

#[tokio::test]
async fn a_restore_takes_the_log_of_a_crashed_process_away_with_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, db) = sqlite_with_rows(folder.path(), 1).await;
    let file = folder.path().join("copy.db");
    operate::backup(&db, &file, false).await.unwrap();
    two(&db, 7).await;
    // As a crash leaves them.
    let at = |ending: &str| folder.path().join(format!("app.db{ending}"));
    let kept: Vec<_> = ["", "-wal"].map(|ending| (ending, std::fs::read(at(ending)).unwrap())).into();
    db.close().await;
    for (ending, bytes) in kept {
        std::fs::write(at(ending), bytes).unwrap();
    }
    operate::restore(&settings, &file, true).await.unwrap();
    assert!(!at("-wal").exists() && !at("-shm").exists());
    let db = Db::open(&settings).await.unwrap();
    assert_eq!(count(&db).await, 2);
}

#[tokio::test]
async fn a_database_that_is_damaged_can_be_replaced_and_a_backup_that_is_damaged_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, db) = sqlite_with_rows(folder.path(), 500).await;
    let file = folder.path().join("copy.db");
    operate::backup(&db, &file, false).await.unwrap();
    db.close().await;

    let mut bytes = std::fs::read(&file).unwrap();
    let broken = folder.path().join("broken.db");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xee);
    std::fs::write(&broken, &bytes).unwrap();
    let error = operate::restore(&settings, &broken, true).await.unwrap_err();
    assert_eq!(error.code(), "database_damaged");
    std::fs::write(&broken, "not a database at all").unwrap();
    let error = operate::restore(&settings, &broken, true).await.unwrap_err();
    assert!(error.detail().contains("is not a SQLite database"), "{error}");
    let db = Db::open(&settings).await.unwrap();
    assert_eq!(count(&db).await, 1000);
    db.close().await;

    std::fs::write(folder.path().join("app.db"), "garbage").unwrap();
    operate::restore(&settings, &file, true).await.unwrap();
    let db = Db::open(&settings).await.unwrap();
    assert_eq!(count(&db).await, 1000);
}

#[tokio::test]
async fn copies_of_postgres_are_left_to_its_tools_whose_commands_have_no_password() {
    let settings = Settings::new("postgres://me:hunter2@127.0.0.1:1/app");
    let db = Db::open(&settings).await.unwrap();
    let file = Path::new("it's.dump");
    let backup = operate::backup(&db, file, false).await.unwrap_err();
    assert!(
        backup.detail().contains(r"pg_dump --format=custom --file='it'\''s.dump' 'postgres://me@127.0.0.1:1/app'"),
        "{backup}"
    );
    let restore = operate::restore(&settings, file, false).await.unwrap_err();
    assert!(restore.detail().contains("pg_restore --clean"), "{restore}");
    for error in [backup, restore] {
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let memory = Db::open(&Settings::new("sqlite::memory:")).await.unwrap();
    assert!(operate::backup(&memory, file, false).await.unwrap_err().detail().contains("in memory"));
}

#[cfg(feature = "entity")]
#[tokio::test]
async fn entities_are_written_of_the_applications_tables_alone() {
    for (_database, db) in each().await {
        super::super::migrate::Plan::new().up(&db).await.unwrap();
        let none = operate::entities(&db, &[]).await.unwrap_err();
        assert!(none.detail().contains("no tables of the application's own"), "{none}");
        for table in [
            "CREATE TABLE project (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)",
            "CREATE TABLE item (id INTEGER PRIMARY KEY NOT NULL, project_id INTEGER NOT NULL REFERENCES project (id), note TEXT)",
        ] {
            db.sql(table).execute().await.unwrap();
        }
        let all = operate::entities(&db, &[]).await.unwrap();
        let names: Vec<_> = all.files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["item.rs", "project.rs", "mod.rs", "prelude.rs"]);
        let item = &all.files[0].1;
        assert!(item.contains("pub note: Option<String>") && item.contains("project"), "{item}");
        assert_eq!(operate::entities(&db, &["item".to_owned()]).await.unwrap().files[0].0, "item.rs");
        for (unknown, part) in
            [("job_queue", "the framework's own"), ("nowhere", "there is no table `nowhere`; there are item, project")]
        {
            let error = operate::entities(&db, &[unknown.to_owned()]).await.unwrap_err();
            assert!(error.detail().contains(part), "{error}");
        }

        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("entity");
        assert_eq!(all.write(&folder, false).unwrap().len(), 4);
        assert!(all.write(&folder, false).unwrap().is_empty(), "nothing has changed");
        db.sql("ALTER TABLE item ADD COLUMN done BOOLEAN").execute().await.unwrap();
        let more = operate::entities(&db, &[]).await.unwrap();
        assert_eq!(more.write(&folder, false).unwrap(), [folder.join("item.rs")]);
        // As rustfmt may do.
        let project = std::fs::read_to_string(folder.join("project.rs")).unwrap();
        std::fs::write(folder.join("project.rs"), project.replace(",\n", "\n")).unwrap();
        assert_eq!(more.write(&folder, false).unwrap(), [folder.join("project.rs")]);
        let touched = std::fs::read_to_string(folder.join("item.rs")).unwrap() + "// mine\n";
        std::fs::write(folder.join("item.rs"), &touched).unwrap();
        std::fs::write(folder.join("project.rs"), "// mine").unwrap();
        let error = more.write(&folder, false).unwrap_err();
        assert_eq!(error.code(), "file_exists");
        assert!(error.detail().contains("item.rs") && error.detail().contains("project.rs"), "{error}");
        assert_eq!(std::fs::read_to_string(folder.join("item.rs")).unwrap(), touched);
        assert_eq!(more.write(&folder, true).unwrap().len(), 2);
    }
}
