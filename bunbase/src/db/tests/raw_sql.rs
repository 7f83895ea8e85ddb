use chrono::{DateTime, TimeZone, Utc};
use sea_orm::{DbBackend, FromQueryResult};
use uuid::Uuid;

use super::*;

#[derive(Debug, PartialEq, FromQueryResult)]
struct Row {
    flag: bool,
    at: DateTime<Utc>,
    key: Uuid,
    note: Option<String>,
    size: i64,
}

async fn with_rows(db: &Db) -> Row {
    let create = match db.backend() {
        DbBackend::Postgres => {
            "CREATE TABLE thing (flag BOOLEAN NOT NULL, at TIMESTAMPTZ NOT NULL, key UUID NOT NULL, note TEXT, size BIGINT NOT NULL)"
        }
        _ => {
            "CREATE TABLE thing (flag BOOLEAN NOT NULL, at TIMESTAMP NOT NULL, key BLOB NOT NULL, note TEXT, size BIGINT NOT NULL)"
        }
    };
    db.sql(create).execute().await.unwrap();
    let row = Row {
        flag: true,
        at: Utc.with_ymd_and_hms(2026, 3, 29, 1, 30, 0).unwrap() + chrono::Duration::microseconds(1500),
        key: Uuid::now_v7(),
        note: None,
        size: i64::MAX,
    };
    let inserted = db
        .sql("INSERT INTO thing (flag, at, key, note, size) VALUES ($1, $2, $3, $4, $5)")
        .bind(row.flag)
        .bind(row.at)
        .bind(row.key)
        .bind(row.note.clone())
        .bind(row.size)
        .execute()
        .await
        .unwrap();
    assert_eq!(inserted, 1);
    row
}

#[tokio::test]
async fn booleans_times_uuids_and_nulls_come_back_as_they_went() {
    for (_database, db) in each().await {
        let row = with_rows(&db).await;
        let all = "SELECT flag, at, key, note, size FROM thing";
        assert_eq!(db.sql(all).one::<Row>().await.unwrap(), row);
        assert_eq!(db.sql(all).all::<Row>().await.unwrap().len(), 1);
        // They are found again by each of them, in any order and used twice.
        let found = db
            .sql("SELECT flag, at, key, note, size FROM thing WHERE key = $3 AND flag = $1 AND at = $2 AND at >= $2")
            .bind(row.flag)
            .bind(row.at)
            .bind(row.key)
            .optional::<Row>()
            .await
            .unwrap();
        assert_eq!(found, Some(row));
    }
}

#[tokio::test]
async fn times_sort_as_times_with_any_number_of_digits() {
    for (_database, db) in each().await {
        let first = with_rows(&db).await.at;
        for (micros, size) in [(0, 1), (1, 2), (500_000, 3), (999_999, 4)] {
            let at = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap() + chrono::Duration::microseconds(micros);
            db.sql("INSERT INTO thing (flag, at, key, size) VALUES (false, $1, $2, $3)")
                .bind(at)
                .bind(Uuid::now_v7())
                .bind(size)
                .execute()
                .await
                .unwrap();
        }
        let rows = db.sql("SELECT * FROM thing WHERE at < $1 ORDER BY at").bind(first).all::<Row>().await.unwrap();
        assert_eq!(rows.iter().map(|row| row.size).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}

#[tokio::test]
async fn a_missing_row_is_404_or_none() {
    for (_database, db) in each().await {
        with_rows(&db).await;
        let none = "SELECT * FROM thing WHERE size = 0";
        assert_eq!(db.sql(none).one::<Row>().await.unwrap_err().status(), 404);
        assert_eq!(db.sql(none).optional::<Row>().await.unwrap(), None);
        assert_eq!(db.sql("SELECT size FROM thing WHERE size = 0").scalar::<i64>().await.unwrap_err().status(), 404);
        assert_eq!(db.sql("SELECT max(note) FROM thing").scalar::<Option<String>>().await.unwrap(), None);
    }
}

#[tokio::test]
async fn placeholders_and_values_must_be_as_many() {
    for (_database, db) in each().await {
        with_rows(&db).await;
        for (sql, values) in [
            ("SELECT size FROM thing WHERE size = $1", 0),
            ("SELECT size FROM thing WHERE size = $1", 2),
            ("SELECT size FROM thing WHERE size = $2", 1),
            ("SELECT size FROM thing WHERE size IN ($1, $3)", 2),
            ("SELECT size FROM thing WHERE size = $0", 1),
            ("DELETE FROM thing", 1),
        ] {
            let statement = (0..values).fold(db.sql(sql), |statement, value: i64| statement.bind(value));
            let error = statement.execute().await.unwrap_err();
            assert_eq!(error.status(), 500);
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("placeholders") && cause.contains(sql), "{cause}");
        }
    }
}

#[tokio::test]
async fn a_writing_query_works_through_every_method() {
    for (_database, db) in each().await {
        with_rows(&db).await;
        let size: i64 = db.sql("UPDATE thing SET size = 1 RETURNING size").scalar().await.unwrap();
        assert_eq!(size, 1);
        let rows = db.sql("WITH x AS (SELECT 2) UPDATE thing SET size = 2 RETURNING *").all::<Row>().await.unwrap();
        assert_eq!(rows[0].size, 2);
        let deleted = db.sql("DELETE FROM thing").execute().await.unwrap();
        assert_eq!(deleted, 1);
    }
}
