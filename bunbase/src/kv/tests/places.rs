//! Every backend there is, each with a way to let time pass.

use std::{sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    db::{Db, DbBackend, migrate::Plan, testing::TestDatabase},
    kv::{Kv, KvStore, Memory, Postgres, Settings, Sqlite},
};

/// One backend, empty.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) kv: Kv,
    pub(crate) clock: Clock,
    pub(crate) db: Option<Db>,
    /// Dropped last.
    database: Option<TestDatabase>,
    #[cfg(feature = "redis")]
    redis: Option<crate::redis::Redis>,
}

impl Place {
    fn new(name: &'static str, store: Arc<dyn KvStore>, clock: Clock) -> Self {
        Self {
            name,
            kv: Kv::new(store, Settings::default()),
            clock,
            db: None,
            database: None,
            #[cfg(feature = "redis")]
            redis: None,
        }
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            pass_on_redis(redis, time).await;
        }
        self.clock.advance(time);
    }

    /// Returns the values as another instance sees them.
    pub(crate) async fn another(&self) -> Kv {
        match &self.database {
            None => self.kv.clone(),
            Some(database) => Kv::new(store(&database.db().await.unwrap(), &self.clock), Settings::default()),
        }
    }
}

fn store(db: &Db, clock: &Clock) -> Arc<dyn KvStore> {
    match db.backend() {
        DbBackend::Postgres => Arc::new(Postgres::new(db.clone(), clock.clone())),
        _ => Arc::new(Sqlite::new(db.clone(), clock.clone())),
    }
}

/// Opens one of each backend.
pub(crate) async fn each() -> Vec<Place> {
    let clock = Clock::system();
    let mut all = vec![Place::new("memory", Arc::new(Memory::new(clock.clone(), 1 << 24)), clock)];
    for database in TestDatabase::each().await.unwrap() {
        let db = database.db().await.unwrap();
        Plan::new().up(&db).await.unwrap();
        let clock = Clock::system();
        let name = if db.backend() == DbBackend::Postgres { "postgres" } else { "sqlite" };
        let place = Place::new(name, store(&db, &clock), clock);
        all.push(Place { db: Some(db), database: Some(database), ..place });
    }
    #[cfg(feature = "redis")]
    if let Some(redis) = crate::redis::testing::shared().await.unwrap() {
        let store = Arc::new(crate::kv::Redis::new(redis.clone()));
        all.push(Place { redis: Some(redis), ..Place::new("redis", store, Clock::system()) });
    }
    all
}

/// Brings the end of every key of this test nearer: the clock of a server cannot be moved.
#[cfg(feature = "redis")]
async fn pass_on_redis(redis: &crate::redis::Redis, time: Duration) {
    use crate::redis::{Script, cmd};
    let nearer = Script::new(
        "local left = redis.call('PTTL', KEYS[1])
         if left >= 0 then
           if left <= tonumber(ARGV[1]) then redis.call('DEL', KEYS[1])
           else redis.call('PEXPIRE', KEYS[1], left - tonumber(ARGV[1])) end
         end",
    );
    let (pattern, by) = (redis.key("", "").trim_end_matches("::").to_owned() + "*", time.as_millis());
    let mut at = 0_u64;
    loop {
        let (next, keys): (u64, Vec<String>) =
            redis.read(cmd("SCAN").arg(at).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000)).await.unwrap();
        for key in keys {
            redis.script::<()>(nearer.key(key).arg(u64::try_from(by).unwrap())).await.unwrap();
        }
        at = next;
        if at == 0 {
            return;
        }
    }
}
