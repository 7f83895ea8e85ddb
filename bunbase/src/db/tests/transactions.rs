use std::{sync::Arc, time::Duration};

use chrono::Utc;
use sea_orm::{ActiveModelTrait, ActiveValue::NotSet, ActiveValue::Set, DbBackend, EntityTrait, TransactionTrait};
use uuid::Uuid;

use super::{super::Settings, *};
use crate::Error;

fn a_task(title: &str) -> task::ActiveModel {
    task::ActiveModel {
        id: NotSet,
        title: Set(title.to_owned()),
        done: Set(false),
        due: Set(Utc::now()),
        key: Set(Uuid::now_v7()),
    }
}

#[tokio::test]
async fn entities_work_on_the_handle_and_in_a_transaction() {
    for (_database, db) in each_with_tasks().await {
        let first = a_task("first").insert(&db).await.unwrap();
        let second = db.transaction(async |tx: &Tx| Ok(a_task("second").insert(tx.db()).await?)).await.unwrap();
        assert!(second.id > first.id);
        let third = task::Entity::insert(a_task("third")).exec_with_returning(&db).await.unwrap();
        assert_eq!(third.title, "third");
        assert_eq!(task::Entity::find().all(&db).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn an_error_rolls_back_and_comes_out_unchanged() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let error = db
            .transaction(async |tx: &Tx| {
                set_counter(tx, 7).await?;
                Err::<(), _>(Error::conflict("no"))
            })
            .await
            .unwrap_err();
        assert_eq!((error.status(), error.detail()), (409, "no"));
        assert_eq!(counter(&db).await, 0);
    }
}

#[tokio::test]
async fn a_panic_rolls_back() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let task = tokio::spawn({
            let db = db.clone();
            async move {
                db.transaction(async |tx: &Tx| {
                    set_counter(tx, 7).await?;
                    assert_eq!(1, 2, "on purpose");
                    Ok(())
                })
                .await
            }
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(counter(&db).await, 0);
        db.sql("UPDATE counter SET n = 1").execute().await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_504_and_rolled_back() {
    for database in TestDatabase::each().await.unwrap() {
        let settings = Settings { transaction_timeout: Duration::from_millis(50), ..database.settings() };
        let db = Db::open(&settings).await.unwrap();
        with_counter(&db).await;
        let error = db
            .transaction(async |tx: &Tx| {
                set_counter(tx, 7).await?;
                std::future::pending::<crate::Result<()>>().await
            })
            .await
            .unwrap_err();
        assert_eq!((error.status(), error.code()), (504, "transaction_timeout"));
        assert_eq!(counter(&db).await, 0);
    }
}

#[tokio::test]
async fn a_savepoint_undoes_its_part_only() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        db.transaction(async |tx: &Tx| {
            set_counter(tx, 1).await?;
            let refused = tx
                .nested(async |tx: &Tx| {
                    set_counter(tx, 2).await?;
                    // A failed statement, which would spoil the whole transaction on Postgres.
                    tx.sql("SELECT * FROM missing").execute().await
                })
                .await;
            assert!(refused.is_err());
            tx.nested(async |tx: &Tx| {
                let n: i64 = tx.sql("SELECT n FROM counter").scalar().await?;
                set_counter(tx, n + 10).await
            })
            .await
        })
        .await
        .unwrap();
        assert_eq!(counter(&db).await, 11);
    }
}

#[tokio::test]
async fn a_savepoint_that_is_dropped_on_the_way_undoes_everything() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let error = db
            .transaction(async |tx: &Tx| {
                set_counter(tx, 1).await?;
                let nested = tx.nested(async |tx: &Tx| {
                    set_counter(tx, 2).await?;
                    std::future::pending::<crate::Result<()>>().await
                });
                let _ = tokio::time::timeout(Duration::from_millis(50), nested).await;
                set_counter(tx, 3).await
            })
            .await
            .unwrap_err();
        assert_eq!((error.status(), error.code()), (500, "transaction_aborted"));
        assert_eq!(counter(&db).await, 0);
    }
}

#[tokio::test]
async fn a_swallowed_failure_is_never_reported_as_stored() {
    for (_database, db) in each().await {
        with_counter(&db).await;
        let result = db
            .transaction(async |tx: &Tx| {
                set_counter(tx, 7).await?;
                let _ = tx.sql("SELECT * FROM missing").execute().await;
                Ok(())
            })
            .await;
        if db.backend() == DbBackend::Postgres {
            assert_eq!(result.unwrap_err().code(), "transaction_aborted");
            assert_eq!(counter(&db).await, 0);
        } else {
            result.unwrap();
            assert_eq!(counter(&db).await, 7);
        }
    }
}

#[tokio::test]
async fn a_transaction_can_be_awaited_in_a_spawned_task() {
    async fn titles(tx: &Tx) -> crate::Result<Vec<String>> {
        let rows = task::Entity::find().all(tx.db()).await?;
        Ok(rows.into_iter().map(|row| row.title).collect())
    }

    for (_database, db) in each_with_tasks().await {
        let (title, again) = (String::from("borrowed"), String::from("moved"));
        let shared = Arc::new(db.clone());
        let task = tokio::spawn(async move {
            let titles = shared
                .transaction(async |tx: &Tx| {
                    a_task(&title).insert(tx.db()).await?;
                    let inner = tx.nested(async |tx: &Tx| Ok(a_task(&again).insert(tx.db()).await?.title)).await?;
                    assert_eq!(inner, again);
                    let sum: i64 =
                        tx.sql("SELECT count(*) FROM task WHERE title = $1").bind(title.as_str()).scalar().await?;
                    assert_eq!(sum, 1);
                    titles(tx).await
                })
                .await?;
            Ok::<_, crate::Error>((titles, title))
        });
        let (titles, title) = task.await.unwrap().unwrap();
        assert_eq!(titles, ["borrowed", "moved"]);
        assert_eq!(title, "borrowed");

        // The same with everything moved in.
        let owned = String::from("owned");
        let handle = db.clone();
        let id = tokio::spawn(async move {
            handle.transaction(async move |tx: &Tx| Ok(a_task(&owned).insert(tx.db()).await?.id)).await
        });
        assert_eq!(id.await.unwrap().unwrap(), 3);
    }
}

#[tokio::test]
async fn seaorms_own_way_to_begin_works_too() {
    for (_database, db) in each_with_tasks().await {
        let id = TransactionTrait::transaction::<_, _, sea_orm::DbErr>(&db, |tx| {
            Box::pin(async move { Ok(a_task("one").insert(tx).await?.id) })
        })
        .await
        .unwrap();
        assert_eq!(id, 1);
        let tx = TransactionTrait::begin(&db).await.unwrap();
        a_task("two").insert(&tx).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(task::Entity::find().all(&db).await.unwrap().len(), 1);
    }
}
