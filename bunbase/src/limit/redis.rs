//! Rate limits on Redis.

use std::sync::LazyLock;

use futures_util::future::BoxFuture;

use super::{Algorithm, Rule, Taken, rule::State, store::LimitStore};
use crate::{
    Error, Result,
    clock::Clock,
    redis::{Redis as Pool, Script, millis},
};

/// Counts as keys of Redis, by its clock. What Redis loses is counted anew.
#[derive(Debug)]
pub struct Redis {
    redis: Pool,
    clock: Clock,
}

impl Redis {
    /// Counts in Redis.
    pub fn new(redis: Pool, clock: Clock) -> Self {
        Self { redis, clock }
    }
}

/// Counts a call in a window: how far the clock is ahead in ms, how long the key says anything, the length of a part, the limit.
/// Answers whether it is let through, the time, and the state.
static WINDOW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])
         local part = math.floor(ms / tonumber(ARGV[3]))
         local at, counts, used = part, {}, 0
         local old = {}
         local text = redis.call('GET', KEYS[1])
         if text then
           at = tonumber(string.match(text, '^(-?%d+):'))
           for n in string.gmatch(string.match(text, ':(.*)$'), '%d+') do old[#old + 1] = tonumber(n) end
         end
         local passed = math.min(math.max(part - at, 0), 17)
         for i = 1, 17 do
           counts[i] = i > passed and old[i - passed] or 0
           used = used + counts[i]
         end
         at = math.max(at, part)
         local allowed = used < tonumber(ARGV[4]) and 1 or 0
         if allowed == 1 then counts[1] = counts[1] + 1 end
         for i = 1, 17 do counts[i] = string.format('%.0f', counts[i]) end
         local state = string.format('%.0f', at) .. ':' .. table.concat(counts, ',')
         if allowed == 1 then redis.call('SET', KEYS[1], state, 'PX', ARGV[2]) end
         return {allowed, string.format('%.0f', ms), state}",
    )
});

/// Takes a token from a bucket: how far the clock is ahead in ms, how long the key says anything, the units of a token, those
/// of the bucket, those that come back in a millisecond. Answers as [`WINDOW`].
static BUCKET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[1])
         local at, missing = ms, 0
         local text = redis.call('GET', KEYS[1])
         if text then
           at = tonumber(string.match(text, '^(-?%d+):'))
           missing = tonumber(string.match(text, ':(%d+)$'))
         end
         missing = math.max(missing - math.max(ms - at, 0) * tonumber(ARGV[5]), 0)
         at = math.max(at, ms)
         local allowed = missing + tonumber(ARGV[3]) <= tonumber(ARGV[4]) and 1 or 0
         if allowed == 1 then missing = missing + tonumber(ARGV[3]) end
         local state = string.format('%.0f:%.0f', at, missing)
         if allowed == 1 then redis.call('SET', KEYS[1], state, 'PX', ARGV[2]) end
         return {allowed, string.format('%.0f', ms), state}",
    )
});

impl LimitStore for Redis {
    fn take(&self, key: String, rule: Rule) -> BoxFuture<'_, Result<Taken>> {
        Box::pin(async move {
            let key = self.redis.key("limit", &key);
            let (ahead_ms, kept_ms) = (self.clock.offset_us() / 1000, millis(rule.kept()));
            let script = match rule.algorithm() {
                Algorithm::Window => {
                    let mut script = WINDOW.key(key);
                    script.arg(ahead_ms).arg(kept_ms).arg(rule.part_ms()).arg(rule.limit());
                    script
                }
                Algorithm::Bucket { capacity } => {
                    let mut script = BUCKET.key(key);
                    script.arg(ahead_ms).arg(kept_ms).arg(rule.token()).arg(rule.room(capacity)).arg(rule.limit());
                    script
                }
            };
            let (allowed, ms, state): (i64, i64, String) = self.redis.script(&script).await?;
            let state = State::read(&state).ok_or_else(|| Error::internal("a rate limit in Redis cannot be read"))?;
            Ok(rule.taken(allowed == 1, &rule.at(Some(state), ms), ms))
        })
    }

    /// Redis does it by itself.
    fn sweep(&self, _limit: u32) -> BoxFuture<'_, Result<u64>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}
