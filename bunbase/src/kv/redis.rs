//! Keys and values on Redis.

use std::{collections::BTreeSet, sync::LazyLock, time::Duration};

use futures_util::future::BoxFuture;

use super::store::{Keys, KvStore, Ttl};
use crate::{
    Error, Result,
    redis::{Redis as Pool, Script, cmd, millis},
};

/// What the keys of this service begin with, behind the application's prefix.
const SERVICE: &str = "kv";

/// How many steps of a scan one page takes at most.
const STEPS: u32 = 50;

/// Keys and values as strings of Redis, which judges their expiry. It may lose them: have it persist what must stay.
#[derive(Debug)]
pub struct Redis {
    redis: Pool,
}

impl Redis {
    /// Keeps values in Redis.
    pub fn new(redis: Pool) -> Self {
        Self { redis }
    }

    fn key(&self, key: &str) -> String {
        self.redis.key(SERVICE, key)
    }
}

/// Sets all keys to the values, for so many ms where the first argument is not empty.
static SET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for i, key in ipairs(KEYS) do
           if ARGV[1] == '' then redis.call('SET', key, ARGV[i + 1])
           else redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end
         end",
    )
});

/// Exchanges a value. The arguments: whether one is expected, which, whether there is a new one, which, for how many ms.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local value = redis.call('GET', KEYS[1])
         if ARGV[1] == '0' then
           if value then return 0 end
         elseif value ~= ARGV[2] then return 0 end
         if ARGV[3] == '0' then redis.call('DEL', KEYS[1])
         elseif ARGV[5] == '' then redis.call('SET', KEYS[1], ARGV[4])
         else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
         return 1",
    )
});

/// Adds. The sum as text: a number of Lua has 53 bits.
static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local known = redis.call('EXISTS', KEYS[1])
         local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
         if type(sum) == 'table' and sum.err then
           if string.find(sum.err, 'not an integer') or string.find(sum.err, 'overflow') then return false end
           return sum
         end
         if known == 0 and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
         return redis.call('GET', KEYS[1])",
    )
});

/// Takes the end of a key away. Returns whether it is there.
static PERSIST: LazyLock<Script> =
    LazyLock::new(|| Script::new("redis.call('PERSIST', KEYS[1]) return redis.call('EXISTS', KEYS[1])"));

/// Returns how long a key is kept, as the scripts take it: nothing is for ever.
fn kept(ttl: Option<Duration>) -> String {
    ttl.map(|ttl| millis(ttl).to_string()).unwrap_or_default()
}

/// Returns a pattern that matches what begins with the text.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "*"
}

impl KvStore for Redis {
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>> {
        Box::pin(async move {
            let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
            self.redis.read(cmd("MGET").arg(keys)).await
        })
    }

    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            // The keys of a cluster are on several servers, so there each is set alone.
            let together = if self.redis.is_cluster() { 1 } else { entries.len().max(1) };
            for some in entries.chunks(together) {
                let mut script = SET.arg(kept(ttl));
                for (key, value) in some {
                    script.key(self.key(key)).arg(value);
                }
                self.redis.script::<()>(&script).await?;
            }
            Ok(())
        })
    }

    fn swap(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let mut script = SWAP.key(self.key(&key));
            script.arg(i32::from(expected.is_some())).arg(expected.unwrap_or_default());
            script.arg(i32::from(new.is_some())).arg(new.unwrap_or_default()).arg(kept(ttl));
            self.redis.script(&script).await
        })
    }

    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>> {
        Box::pin(async move {
            let mut script = ADD.key(self.key(&key));
            self.redis.script(script.arg(by).arg(kept(ttl))).await
        })
    }

    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>> {
        Box::pin(async move {
            let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
            self.redis.run(cmd("UNLINK").arg(keys)).await
        })
    }

    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>> {
        Box::pin(async move {
            let left: i64 = self.redis.read(cmd("PTTL").arg(self.key(&key))).await?;
            Ok(match u64::try_from(left) {
                Ok(left) => Ttl::Left(Duration::from_millis(left)),
                Err(_) if left == -1 => Ttl::Forever,
                Err(_) => Ttl::Missing,
            })
        })
    }

    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            let key = self.key(&key);
            match ttl {
                Some(ttl) => self.redis.run(cmd("PEXPIRE").arg(key).arg(millis(ttl))).await,
                None => self.redis.script(&PERSIST.key(key)).await,
            }
        })
    }

    /// By `SCAN`, which walks through all keys of the server in steps, and never by `KEYS`, which stops it for everybody.
    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>> {
        Box::pin(async move {
            if self.redis.is_cluster() {
                return Err(Error::new(501, "kv_list", "the keys of a cluster cannot be listed"));
            }
            let no_cursor = |_| Error::new(422, "kv_cursor", "this is no cursor of a list");
            let mut at: u64 = cursor.as_deref().unwrap_or("0").parse().map_err(no_cursor)?;
            let (base, pattern) = (self.key(""), pattern(&self.key(&prefix)));
            // A step may show a key twice.
            let mut keys = BTreeSet::new();
            for _ in 0..STEPS {
                let mut scan = cmd("SCAN");
                scan.arg(at).arg("MATCH").arg(&pattern).arg("COUNT").arg(limit.clamp(100, 1000));
                let (next, found): (u64, Vec<String>) = self.redis.read(&scan).await?;
                keys.extend(found.iter().filter_map(|key| key.strip_prefix(&base)).map(str::to_owned));
                at = next;
                if at == 0 || keys.len() >= limit as usize {
                    break;
                }
            }
            Ok(Keys { keys: keys.into_iter().collect(), next: (at != 0).then(|| at.to_string()) })
        })
    }

    /// Redis does it by itself.
    fn sweep(&self, _limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}
