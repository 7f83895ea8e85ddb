//! What every backend does alike.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::each;
use crate::kv::Ttl;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_value_comes_back_as_it_was_set() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        assert_eq!(kv.get::<Value>("a").await.unwrap(), None, "{name}");
        for value in [
            json!({"a": [1, null, true, "x"]}),
            json!(null),
            json!("text with \u{0} and \"quotes\" and \u{1f980}"),
            json!(-1.5),
            json!(""),
        ] {
            kv.set("a", &value, None).await.unwrap();
            assert_eq!(kv.get::<Value>("a").await.unwrap(), Some(value), "{name}");
        }
        assert!(kv.has("a").await.unwrap(), "{name}");
        assert!(kv.delete("a").await.unwrap(), "{name}");
        assert!(!kv.delete("a").await.unwrap(), "{name}");
        assert!(!kv.has("a").await.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn a_value_expires_and_a_new_one_does_not_inherit_that() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        kv.set("a", &1, 10 * SECOND).await.unwrap();
        kv.set("b", &1, None).await.unwrap();
        let Ttl::Left(left) = kv.ttl("a").await.unwrap() else { panic!("{name}") };
        assert!(left > 5 * SECOND && left <= 10 * SECOND, "{name}: {left:?}");
        assert_eq!(kv.ttl("b").await.unwrap(), Ttl::Forever, "{name}");
        assert_eq!(kv.ttl("c").await.unwrap(), Ttl::Missing, "{name}");
        place.pass(11 * SECOND).await;
        assert_eq!(kv.get::<i32>("a").await.unwrap(), None, "{name}");
        assert!(!kv.has("a").await.unwrap(), "{name}");
        assert!(!kv.expire("a", HOUR).await.unwrap(), "{name}");
        assert!(!kv.delete("a").await.unwrap(), "{name}");
        kv.set("a", &2, None).await.unwrap();
        assert_eq!(kv.ttl("a").await.unwrap(), Ttl::Forever, "{name}");
        assert!(kv.expire("b", SECOND).await.unwrap(), "{name}");
        assert!(kv.expire("a", SECOND).await.unwrap(), "{name}");
        assert!(kv.expire("a", None).await.unwrap(), "{name}");
        place.pass(2 * SECOND).await;
        assert_eq!(kv.get_many::<i32>(["a", "b"]).await.unwrap(), [Some(2), None], "{name}");
    }
}

#[tokio::test]
async fn many_at_once_answer_in_their_order() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        kv.set_many([("a", 1), ("b", 2), ("a", 3)], HOUR).await.unwrap();
        let found = kv.get_many::<i32>(["b", "c", "a", "b"]).await.unwrap();
        assert_eq!(found, [Some(2), None, Some(3), Some(2)], "{name}");
        assert_ne!(kv.ttl("b").await.unwrap(), Ttl::Forever, "{name}");
        assert_eq!(kv.delete_many(["a", "b", "c", "a"]).await.unwrap(), 2, "{name}");
        let none: [&str; 0] = [];
        assert_eq!(kv.get_many::<i32>(none).await.unwrap(), [], "{name}");
        assert_eq!(kv.delete_many(none).await.unwrap(), 0, "{name}");
        kv.set_many([("", 0); 0], None).await.unwrap();
        let many: Vec<_> = (0..1000).map(|i| (format!("k{i}"), i)).collect();
        kv.set_many(many.clone(), None).await.unwrap();
        let found = kv.get_many::<i32>(many.iter().map(|(key, _)| key)).await.unwrap();
        assert!(found.into_iter().eq((0..1000).map(Some)), "{name}");
        assert_eq!(kv.set_many((0..1001).map(|i| (i.to_string(), i)), None).await.unwrap_err().status(), 500);
    }
}

#[tokio::test]
async fn only_what_is_expected_is_exchanged() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        assert!(!kv.compare_and_set("a", &0, &1, None).await.unwrap(), "{name}");
        assert!(kv.set_if_absent("a", &1, 10 * SECOND).await.unwrap(), "{name}");
        assert!(!kv.set_if_absent("a", &2, None).await.unwrap(), "{name}");
        assert!(!kv.compare_and_set("a", &2, &3, None).await.unwrap(), "{name}");
        assert_ne!(kv.ttl("a").await.unwrap(), Ttl::Forever, "{name}");
        assert!(kv.compare_and_set("a", &1, &3, 20 * SECOND).await.unwrap(), "{name}");
        place.pass(11 * SECOND).await;
        assert_eq!(kv.get("a").await.unwrap(), Some(3), "{name}");
        place.pass(10 * SECOND).await;
        assert!(!kv.compare_and_set("a", &3, &4, None).await.unwrap(), "{name}");
        assert!(!kv.compare_and_delete("a", &3).await.unwrap(), "{name}");
        assert!(kv.set_if_absent("a", &5, None).await.unwrap(), "{name}");
        assert!(!kv.compare_and_delete("a", &3).await.unwrap(), "{name}");
        assert!(kv.compare_and_delete("a", &5).await.unwrap(), "{name}");
        assert!(!kv.has("a").await.unwrap(), "{name}");
    }
}

#[tokio::test]
async fn of_many_that_want_an_absent_key_one_gets_it() {
    for place in each().await {
        let other = place.another().await;
        let all = join_all((0..40).map(|i| {
            let kv = if i % 2 == 0 { place.kv.clone() } else { other.clone() };
            tokio::spawn(async move { kv.set_if_absent("a", &i, HOUR).await.unwrap() })
        }));
        assert_eq!(all.await.into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1, "{}", place.name);
    }
}

#[tokio::test]
async fn increments_are_not_lost() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        let other = place.another().await;
        let all = join_all((0..50).map(|i| {
            let kv = if i % 2 == 0 { kv.clone() } else { other.clone() };
            tokio::spawn(async move { kv.increment("n", 2, HOUR).await.unwrap() })
        }));
        let sums: BTreeSet<_> = all.await.into_iter().map(Result::unwrap).collect();
        assert!(sums.into_iter().eq((1..=50).map(|i| 2 * i)), "{name}");
        assert_eq!(kv.get("n").await.unwrap(), Some(100), "{name}");
        assert_eq!(kv.increment("n", -101, None).await.unwrap(), -1, "{name}");
        assert_ne!(kv.ttl("n").await.unwrap(), Ttl::Forever, "{name}: the first one's expiry stays");
        place.pass(HOUR + SECOND).await;
        assert_eq!(kv.increment("n", 1, None).await.unwrap(), 1, "{name}");
        assert_eq!(kv.ttl("n").await.unwrap(), Ttl::Forever, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_number_is_not_incremented() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        for value in [json!("1"), json!(1.5), json!(null), json!([1]), json!(u64::MAX), json!({})] {
            kv.set("a", &value, None).await.unwrap();
            assert_eq!(kv.increment("a", 1, None).await.unwrap_err().code(), "kv_not_a_number", "{name} {value}");
            assert_eq!(kv.get::<Value>("a").await.unwrap(), Some(value), "{name}");
        }
        for (start, by) in [(i64::MAX, 1), (i64::MIN, -1), (1, i64::MAX)] {
            kv.set("a", &start, None).await.unwrap();
            assert_eq!(kv.increment("a", by, None).await.unwrap_err().code(), "kv_not_a_number", "{name} {start}");
            assert_eq!(kv.increment("a", 0, None).await.unwrap(), start, "{name}");
        }
        assert_eq!(kv.increment("b", i64::MIN, None).await.unwrap(), i64::MIN, "{name}");
    }
}

#[tokio::test]
async fn updates_of_many_are_all_there() {
    for place in each().await {
        let other = place.another().await;
        let all = join_all((0..12).map(|i| {
            let kv = if i % 2 == 0 { place.kv.clone() } else { other.clone() };
            tokio::spawn(async move {
                let add = |old: Option<Vec<i32>>| Some(old.into_iter().flatten().chain([i]).collect());
                kv.update("a", None, add).await.unwrap();
            })
        }));
        all.await;
        let mut found: Vec<i32> = place.kv.get("a").await.unwrap().unwrap();
        found.sort_unstable();
        assert!(found.into_iter().eq(0..12), "{}", place.name);
        place.kv.update("a", None, |_: Option<Vec<i32>>| None).await.unwrap();
        assert!(!place.kv.has("a").await.unwrap(), "{}", place.name);
    }
}

#[tokio::test]
async fn a_list_shows_every_key_of_the_prefix_and_no_other() {
    for place in each().await {
        let (kv, name) = (place.kv.namespace("lists"), place.name);
        let keys = ["a", "a%", "a*b", "a[x]", "a\\", "a_1", "a1", "ä", "b", "A", ""];
        for key in keys {
            kv.set(key, &1, None).await.unwrap();
        }
        kv.set("a0", &1, SECOND).await.unwrap();
        place.kv.namespace("lists2").set("a", &1, None).await.unwrap();
        place.kv.set("lists:a", &1, None).await.unwrap();
        place.pass(2 * SECOND).await;
        for (prefix, limit) in [("a", 2), ("a", 100), ("", 3), ("a%", 1), ("a*", 1), ("a[", 1), ("a\\", 1), ("x", 5)] {
            let (mut found, mut cursor, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = kv.list(prefix, cursor.as_deref(), limit).await.unwrap();
                found.extend(page.keys);
                pages += 1;
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            let expected: BTreeSet<_> = keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
            if name != "redis" {
                assert!(found.iter().eq(expected.iter()), "{name} {prefix:?}: {found:?} in order, once");
                assert_eq!(pages, expected.len().div_ceil(limit as usize).max(1), "{name} {prefix:?}");
            }
            let found: BTreeSet<_> = found.iter().map(String::as_str).collect();
            assert_eq!(found, expected, "{name} {prefix:?}");
        }
    }
}

#[tokio::test]
async fn namespaces_are_apart() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        let (a, b) = (kv.namespace("a"), kv.namespace("b"));
        kv.set("k", &0, None).await.unwrap();
        a.set("k", &1, None).await.unwrap();
        b.set("k", &2, None).await.unwrap();
        a.namespace("b").set("k", &3, None).await.unwrap();
        kv.set("a:k", &4, None).await.unwrap();
        kv.set("a/b:k", &5, None).await.unwrap();
        assert_eq!(kv.get("k").await.unwrap(), Some(0), "{name}");
        assert_eq!(a.get("k").await.unwrap(), Some(1), "{name}");
        assert_eq!(b.get("k").await.unwrap(), Some(2), "{name}");
        assert_eq!(a.namespace("b").get("k").await.unwrap(), Some(3), "{name}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_it_is_sent() {
    for place in each().await {
        let (kv, name) = (&place.kv, place.name);
        let long = "x".repeat(1023);
        kv.set(&long, &1, None).await.unwrap();
        assert_eq!(kv.get(&long).await.unwrap(), Some(1), "{name}");
        assert_eq!(kv.set(&"x".repeat(1024), &1, None).await.unwrap_err().status(), 500, "{name}");
        assert_eq!(kv.set("a\0b", &1, None).await.unwrap_err().status(), 500, "{name}");
        assert_eq!(kv.set("a", &"x".repeat(1 << 20), None).await.unwrap_err().status(), 500, "{name}");
        kv.set("a", &"x".repeat((1 << 20) - 2), None).await.unwrap();
    }
}

#[tokio::test]
async fn sweeping_deletes_what_has_expired_and_nothing_else() {
    for place in each().await {
        let Some(db) = &place.db else { continue };
        let (kv, name) = (&place.kv, place.name);
        kv.set_many((0..1000).map(|i| (i.to_string(), i)), SECOND).await.unwrap();
        kv.set_many((0..500).map(|i| (format!("x{i}"), i)), SECOND).await.unwrap();
        kv.set("stays", &1, HOUR).await.unwrap();
        kv.set("stays too", &1, None).await.unwrap();
        assert_eq!(kv.sweep().await.unwrap(), 0, "{name}");
        place.pass(2 * SECOND).await;
        assert_eq!(kv.store().sweep(10).await.unwrap(), 10, "{name}");
        assert_eq!(kv.sweep().await.unwrap(), 1490, "{name}");
        assert_eq!(db.sql("SELECT count(*) FROM kv_store").scalar::<i64>().await.unwrap(), 2, "{name}");
    }
}
