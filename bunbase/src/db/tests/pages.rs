use chrono::{TimeZone, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use super::{
    super::page::{Cursor, Keyset, Limit, PageError, PageQuery},
    *,
};

/// Stores tasks 1 to 25; `due` has ties, fractions of a second and of a microsecond among them, and `title` too.
async fn with_tasks(db: &Db) {
    let rows = (1..=25_i64).map(|id| task::ActiveModel {
        id: Set(id),
        title: Set(format!("title {}", id % 3)),
        done: Set(id % 2 == 0),
        due: Set(Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
            + chrono::Duration::microseconds(id / 4 * 250_000)
            + chrono::Duration::nanoseconds(id % 3)),
        key: Set(Uuid::now_v7()),
    });
    task::Entity::insert_many(rows).exec(db).await.unwrap();
}

/// Reads page after page, sending each cursor as text, and returns the ids.
async fn walk(db: &Db, keyset: &Keyset<task::Entity>, limit: u32) -> Vec<i64> {
    let limit: Limit = Limit::new(limit).unwrap();
    let (mut ids, mut cursor) = (Vec::new(), None::<Cursor>);
    loop {
        let page = keyset.page(task::Entity::find(), limit, cursor.as_ref(), db).await.unwrap();
        assert!(page.items.len() <= limit.get() as usize);
        ids.extend(page.map(|row| row.id).items);
        let page = keyset.page(task::Entity::find(), limit, cursor.as_ref(), db).await.unwrap();
        match page.next_cursor {
            Some(next) => cursor = Some(next.to_string().parse().unwrap()),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn pages_show_every_row_once_and_in_order() {
    use task::Column::{Done, Due, Id, Key, Title};
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        for keyset in [
            Keyset::new().asc(Id),
            Keyset::new().desc(Id),
            Keyset::new().desc(Due).desc(Id),
            Keyset::new().asc(Due).desc(Id),
            Keyset::new().desc(Title).asc(Due).asc(Id),
            Keyset::new().asc(Done).asc(Id),
            Keyset::new().asc(Key),
        ] {
            let whole = walk(&db, &keyset, 100).await;
            assert_eq!(whole.len(), 25);
            for limit in [1, 4, 5, 24, 25] {
                assert_eq!(walk(&db, &keyset, limit).await, whole, "{keyset:?} by {limit}");
            }
        }
        let by_due = walk(&db, &Keyset::new().desc(Due).asc(Id), 100).await;
        let sorted = task::Entity::find().order_by_desc(Due).order_by_asc(Id).all(&db).await.unwrap();
        assert_eq!(by_due, sorted.iter().map(|row| row.id).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_filter_holds_on_every_page() {
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        let keyset = Keyset::new().asc(task::Column::Id);
        let select = || task::Entity::find().filter(task::Column::Done.eq(true));
        let limit: Limit = Limit::new(7).unwrap();
        let first = keyset.page(select(), limit, None, &db).await.unwrap();
        let second = keyset.page(select(), limit, first.next_cursor.as_ref(), &db).await.unwrap();
        assert!(first.items.iter().chain(&second.items).all(|row| row.done));
        assert_eq!((first.items.len(), second.items.len(), second.next_cursor), (7, 5, None));
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_404() {
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        let limit: Limit = Limit::new(5).unwrap();
        let by_id = Keyset::new().asc(task::Column::Id);
        let cursor = by_id.page(task::Entity::find(), limit, None, &db).await.unwrap().next_cursor.unwrap();
        let wrong = [
            (Keyset::new().desc(task::Column::Id), cursor.clone()),
            (Keyset::new().asc(task::Column::Title), cursor.clone()),
            (by_id.clone(), Cursor::new(cursor.sort(), vec!["five".into()])),
            (by_id.clone(), Cursor::new(cursor.sort(), vec![serde_json::Value::Null])),
            (by_id.clone(), Cursor::new(cursor.sort(), vec![])),
        ];
        for (keyset, cursor) in wrong {
            let error =
                crate::Error::from(keyset.page(task::Entity::find(), limit, Some(&cursor), &db).await.unwrap_err());
            assert_eq!((error.status(), error.fields()[0].pointer.as_str()), (404, "/cursor"));
        }
    }
}

#[tokio::test]
async fn a_changed_cursor_is_404_and_never_an_error_of_the_database() {
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        let limit: Limit = Limit::new(5).unwrap();
        let by_due = Keyset::new().asc(task::Column::Due).asc(task::Column::Id);
        let cursor = by_due.page(task::Entity::find(), limit, None, &db).await.unwrap().next_cursor.unwrap();
        for due in ["+200000-01-01T00:00:00Z", "-4800-01-01T00:00:00Z", "2026-01-01 00:00:00Z", "soon"] {
            let changed = Cursor::new(cursor.sort(), vec![due.into(), 1.into()]);
            let error = by_due.page(task::Entity::find(), limit, Some(&changed), &db).await.unwrap_err();
            assert!(matches!(error, PageError::Cursor(_)), "{due}: {error:?}");
        }
    }
}

#[tokio::test]
async fn no_cursor_is_made_that_would_not_be_read_back() {
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        let by_title = Keyset::new().desc(task::Column::Title).asc(task::Column::Id);
        for (length, fits) in [(3000, true), (3100, false)] {
            let long = task::ActiveModel { id: Set(1), title: Set("x".repeat(length)), ..Default::default() };
            task::Entity::update(long).exec(&db).await.unwrap();
            let limit: Limit = Limit::new(1).unwrap();
            match by_title.page(task::Entity::find(), limit, None, &db).await {
                Ok(page) => {
                    let cursor = page.next_cursor.unwrap();
                    assert!(fits && cursor.to_string().parse::<Cursor>() == Ok(cursor), "{length}");
                }
                Err(error) => assert!(!fits && format!("{error:?}").contains("do not fit a cursor"), "{error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_offset_skips_rows() {
    for (_database, db) in each_with_tasks().await {
        with_tasks(&db).await;
        let query: PageQuery = serde_json::from_str(r#"{ "limit": 3, "offset": 20 }"#).unwrap();
        let select = task::Entity::find().order_by_asc(task::Column::Id);
        let rows = query.apply(select.clone()).all(&db).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [21, 22, 23]);
        let far = PageQuery { offset: u32::MAX, ..query };
        assert!(far.apply(select).all(&db).await.unwrap().is_empty());
    }
}
