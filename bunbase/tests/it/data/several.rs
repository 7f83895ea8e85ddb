//! An application over a real cluster, and over a sentinel whose master dies.

use std::time::Duration;

use bunbase::{
    kv::Kv,
    prelude::*,
    redis::testing::{RedisCluster, RedisSentinel},
    testing::TestApp,
};

bunbase::module!(name = "several", prefix = "/t/several");

const MINUTE: Duration = Duration::from_mins(1);

/// Uses everything that is kept in Redis, over keys of all slots.
#[action]
async fn use_all(ctx: Ctx, cluster: bool) -> Result<()> {
    let kv = ctx.kv().namespace("numbers");
    let keys: Vec<String> = (0..100).map(|number| format!("n{number:03}")).collect();
    kv.set_many(keys.iter().zip(0_i64..).map(|(key, number)| (key.clone(), number)), MINUTE).await?;
    let got = kv.get_many::<i64>(&keys).await?;
    assert!(got.into_iter().eq((0..100).map(Some)));
    if cluster {
        let refused = kv.list("n", None, 30).await.unwrap_err();
        assert_eq!((refused.status(), refused.code()), (501, "kv_list"));
    } else {
        assert_eq!(all(&kv).await?, keys);
    }
    assert_eq!(kv.increment("n001", 5, None).await?, 6);
    assert!(kv.compare_and_set("n002", &2_i64, &20_i64, None).await?);
    assert!(!kv.compare_and_set("n002", &2_i64, &30_i64, None).await?);
    assert_eq!(kv.delete_many(&keys[..50]).await?, 50);
    assert_eq!(kv.get::<i64>("n099").await?, Some(99));

    let lock = ctx.lock("desk", MINUTE).await?;
    assert!(ctx.lock("desk", MINUTE).try_now().await?.is_none());
    assert!(lock.release().await?);

    let cache = ctx.cache();
    cache.invalidate(["sums"]).await?;
    let load = async |answer: i64| cache.entry("sum", MINUTE).tags(["sums"]).get_or_load(async || Ok(answer)).await;
    assert_eq!((load(1).await?, load(2).await?), (1, 1));
    cache.invalidate(["sums"]).await?;
    assert_eq!(load(3).await?, 3);
    Ok(())
}

/// Lists all keys, each once.
async fn all(kv: &Kv) -> Result<Vec<String>> {
    let (mut listed, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = kv.list("n", cursor.as_deref(), 30).await?;
        listed.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    listed.sort();
    listed.dedup();
    Ok(listed)
}

/// Draws a fencing token.
#[action]
async fn fence(ctx: Ctx) -> Result<u64> {
    let lock = ctx.lock("door", MINUTE).await?;
    let fence = lock.fence();
    lock.release().await?;
    Ok(fence)
}

async fn start(url: String) -> TestApp {
    TestApp::start(App::new().config("redis.url", url)).await
}

#[bunbase::test]
async fn a_cluster_of_three_masters_keeps_everything_by_slots() {
    let Some(cluster) = RedisCluster::start().await.unwrap() else { return };
    let app = start(cluster.url()).await;
    for _ in 0..2 {
        app.call(UseAll::new(true)).await.unwrap();
    }
    let sizes = cluster.sizes();
    assert!(sizes.iter().all(|size| *size > 0), "{sizes:?}");
    let report: serde_json::Value = app.get("/_health").send().await.assert_status(200).json();
    let redis = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "redis").unwrap();
    assert!(redis["details"]["used_memory_bytes"].as_u64().unwrap() > 1 << 20, "of three nodes: {report}");
}

#[bunbase::test]
async fn a_sentinel_leads_to_the_new_master_when_the_old_one_dies() {
    let Some(mut sentinel) = RedisSentinel::start().await.unwrap() else { return };
    let app = start(sentinel.url()).await;
    app.call(UseAll::new(false)).await.unwrap();
    let before = app.call(Fence::new()).await.unwrap();
    sentinel.kill_master();
    let give_up = std::time::Instant::now() + Duration::from_mins(1);
    let after = loop {
        match app.call(Fence::new()).await {
            Ok(fence) => break fence,
            Err(error) => assert!(std::time::Instant::now() < give_up, "no new master: {error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(after > before);
    app.call(UseAll::new(false)).await.unwrap();
}
