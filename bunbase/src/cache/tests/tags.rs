//! What is invalidated is not shown again, however it was being loaded.

use std::sync::Arc;

use tokio::sync::Notify;

use super::{MINUTE, begun, instances};
use crate::cache::Cache;

async fn get(cache: &Cache, key: &str, tags: &[&str], value: u32) -> u32 {
    cache.entry(key, MINUTE).tags(tags.iter().copied()).get_or_load(async || Ok(value)).await.unwrap()
}

#[tokio::test]
async fn all_that_has_a_tag_is_loaded_again_and_nothing_else() {
    for (place, one, other) in instances().await {
        assert_eq!(get(&one, "a", &["x", "y"], 1).await, 1);
        assert_eq!(get(&one, "b", &["y"], 1).await, 1);
        assert_eq!(get(&one, "c", &["z"], 1).await, 1);
        other.invalidate(["x", "never used"]).await.unwrap();
        assert_eq!(get(&one, "a", &["x", "y"], 2).await, 2, "{}", place.name);
        assert_eq!(get(&one, "b", &["y"], 2).await, 1, "{}", place.name);
        other.invalidate(["y"]).await.unwrap();
        assert_eq!(get(&other, "a", &["x", "y"], 3).await, 3, "{}", place.name);
        assert_eq!(get(&other, "b", &["y"], 3).await, 3, "{}", place.name);
        assert_eq!(get(&other, "c", &["z"], 3).await, 1, "{}", place.name);
    }
}

#[tokio::test]
async fn what_was_read_before_is_not_kept_after() {
    for (place, one, other) in instances().await {
        for how in ["tag", "key"] {
            let (began, go) = (Notify::new(), Arc::<Notify>::default());
            let load = async || {
                began.notify_one();
                go.notified().await;
                Ok(1)
            };
            let mut loading = Box::pin(one.entry("a", MINUTE).tags(["x"]).get_or_load(load));
            begun(&mut loading, &began, &place).await;
            match how {
                "tag" => other.invalidate(["x"]).await.unwrap(),
                _ => other.remove("a").await.unwrap(),
            }
            go.notify_one();
            assert_eq!(loading.await.unwrap(), 1, "{}: whoever asked before may see it", place.name);
            assert_eq!(get(&one, "a", &["x"], 2).await, 2, "{} by {how}: whoever asks after does not", place.name);
            one.remove("a").await.unwrap();
        }
    }
}

#[tokio::test]
async fn whoever_asks_after_does_not_join_a_load_from_before() {
    for (place, one, _) in instances().await {
        let (began, go) = (Notify::new(), Arc::<Notify>::default());
        let load = async || {
            began.notify_one();
            go.notified().await;
            Ok(1)
        };
        let mut loading = Box::pin(one.entry("a", MINUTE).tags(["x"]).get_or_load(load));
        begun(&mut loading, &began, &place).await;
        one.remove("a").await.unwrap();
        assert_eq!(get(&one, "a", &["x"], 2).await, 2, "{}", place.name);
        go.notify_one();
        assert_eq!(loading.await.unwrap(), 1, "{}", place.name);
        assert_eq!(get(&one, "a", &["x"], 3).await, 2, "{}", place.name);
    }
}

#[tokio::test]
async fn a_tag_that_is_lost_costs_a_load_and_shows_nothing_old() {
    for (place, one, _) in instances().await {
        assert_eq!(get(&one, "a", &["x"], 1).await, 1);
        assert!(one.inner.tags.delete("x").await.unwrap());
        assert_eq!(get(&one, "a", &["x"], 2).await, 2, "{}", place.name);
        assert_eq!(get(&one, "a", &["x"], 3).await, 2, "{}", place.name);
    }
}
