//! Locks on Redis, with fencing tokens from the database.

use std::{sync::LazyLock, time::Duration};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Fences, store::LockStore};
use crate::{
    Error, Result,
    redis::{Redis as Pool, Script, cmd, millis},
};

/// How often a token is drawn again because a later one was used meanwhile.
const DRAWS: u32 = 10;

/// How long Redis remembers the last token of a lock.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Locks as keys of Redis.
///
/// Redis only says who holds a lock now. When it loses that, two may hold one for a moment: the first notices at its next renewal,
/// and what its fencing token protects does not take its writes any more.
#[derive(Debug)]
pub struct Redis {
    redis: Pool,
    fences: Fences,
}

/// Takes the lock `KEYS[1]` for an owner and so many ms, if it is free and no token as late as this was used.
static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
         local last = redis.call('GET', KEYS[2])
         if last and tonumber(last) >= tonumber(ARGV[2]) then return -1 end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
         redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
         return 1",
    )
});

/// Never sets it again where it is gone: somebody else may have had it meanwhile.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         redis.call('PEXPIRE', KEYS[1], ARGV[2])
         return 1",
    )
});

static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])")
});

impl Redis {
    /// Keeps locks in Redis and draws tokens from the database.
    pub fn new(redis: Pool, fences: Fences) -> Self {
        Self { redis, fences }
    }

    /// Returns the key of a lock. The braces keep it and its token on one server of a cluster.
    fn key(&self, name: &str) -> String {
        self.redis.key("lock", &format!("{{{name}}}"))
    }
}

impl LockStore for Redis {
    fn acquire(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<Option<u64>>> {
        Box::pin(async move {
            let key = self.key(&name);
            for _ in 0..DRAWS {
                // Before the token: most who ask find it held.
                if self.redis.read::<bool>(cmd("EXISTS").arg(&key)).await? {
                    return Ok(None);
                }
                // Before the lock: one that is drawn later could be later than that of who took the lock meanwhile.
                let Some(fence) = self.fences.draw(&name).await? else { return Ok(None) };
                let mut script = ACQUIRE.key(&key);
                script.key(format!("{key}:fence")).arg(owner.to_string()).arg(fence);
                script.arg(millis(ttl)).arg(millis(REMEMBERED.max(ttl)));
                match self.redis.script::<i64>(&script).await? {
                    1 => return Ok(Some(fence)),
                    0 => return Ok(None),
                    _ => {}
                }
            }
            Err(Error::unavailable("the lock changes hands too often; try again", Duration::from_secs(1)))
        })
    }

    fn renew(&self, name: String, owner: Uuid, ttl: Duration) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let mut script = RENEW.key(self.key(&name));
            self.redis.script(script.arg(owner.to_string()).arg(millis(ttl))).await
        })
    }

    fn release(&self, name: String, owner: Uuid) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move { self.redis.script(RELEASE.key(self.key(&name)).arg(owner.to_string())).await })
    }

    /// Redis does it by itself.
    fn sweep(&self, _limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}
