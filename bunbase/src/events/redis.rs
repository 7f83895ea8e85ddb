//! The carrier on Redis: one stream for all instances of an application.
//!
//! What is read is found by its place in the stream, so an instance that was cut off for a while goes on where it was. A stream that was
//! evicted or flushed costs what was in it and nothing else: events are in the outbox.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use uuid::Uuid;

use super::Carrier;
use crate::{
    Result,
    redis::{Redis, cmd},
};

/// About how many entries the stream keeps: an instance that is further behind misses some.
const LENGTH: usize = 10_000;

/// The longest that one read waits; half of what a command may take where that is less.
const BLOCK: Duration = Duration::from_secs(1);

/// How many entries one read takes.
const BATCH: usize = 500;

/// How many ids wait to be told while Redis is away. The oldest are dropped then.
const PENDING: usize = 10_000;

/// An entry's id and its fields, name and value in turn.
type Entry = (String, Vec<String>);

/// Tells by entries of a stream: `from`, which is the instance, and `ids`, with commas between them.
#[derive(Debug)]
pub struct Stream {
    redis: Redis,
    key: String,
    /// Tells its own entries from those of others.
    sender: String,
    pending: Mutex<Pending>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// Whether something was emitted that nobody has heard of.
    is_news: bool,
    ids: Vec<Uuid>,
}

impl Stream {
    /// Makes the carrier of one instance.
    pub fn new(redis: Redis) -> Arc<Self> {
        let key = redis.key("events", "stream");
        let sender = Uuid::new_v4().simple().to_string();
        Arc::new(Self { redis, key, sender, pending: Mutex::default(), ready: Notify::new() })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn add(&self, ids: &[Uuid]) -> Result<()> {
        let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let mut add = cmd("XADD");
        add.arg(&self.key).arg("MAXLEN").arg("~").arg(LENGTH).arg("*");
        add.arg("from").arg(&self.sender).arg("ids").arg(ids.join(","));
        self.redis.run::<String>(&add).await.map(drop)
    }
}

impl Carrier for Stream {
    fn tell(&self, broadcast: &[Uuid]) {
        let mut pending = self.pending();
        pending.is_news = true;
        pending.ids.extend(broadcast);
        let excess = pending.ids.len().saturating_sub(PENDING);
        pending.ids.drain(..excess);
        drop(pending);
        self.ready.notify_one();
    }

    fn begin(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(async {
            let mut newest = cmd("XREVRANGE");
            newest.arg(&self.key).arg("+").arg("-").arg("COUNT").arg(1);
            let newest: Vec<Entry> = self.redis.read(&newest).await?;
            Ok(newest.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
        })
    }

    fn hear<'a>(&'a self, position: &'a mut String) -> BoxFuture<'a, Result<Vec<Uuid>>> {
        Box::pin(async move {
            let block = (self.redis.command_timeout() / 2).min(BLOCK);
            let block_ms = u64::try_from(block.as_millis()).unwrap_or(1).max(1);
            loop {
                let mut read = cmd("XREAD");
                read.arg("COUNT").arg(BATCH).arg("BLOCK").arg(block_ms);
                read.arg("STREAMS").arg(&self.key).arg(position.as_str());
                let streams: Option<Vec<(String, Vec<Entry>)>> = self.redis.read(&read).await?;
                let entries: Vec<Entry> = streams.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
                if let Some((last, _)) = entries.last() {
                    position.clone_from(last);
                }
                let others: Vec<_> =
                    entries.iter().filter(|(_, fields)| value(fields, "from") != self.sender).collect();
                if !others.is_empty() {
                    let ids = others.iter().flat_map(|(_, fields)| value(fields, "ids").split(','));
                    return Ok(ids.filter_map(|id| id.parse().ok()).collect());
                }
            }
        })
    }

    fn send(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            loop {
                self.ready.notified().await;
                let Pending { is_news, ids } = mem::take(&mut *self.pending());
                if !is_news {
                    continue;
                }
                if let Err(error) = self.add(&ids).await {
                    self.tell(&ids);
                    return Err(error);
                }
            }
        })
    }
}

/// Returns a field of an entry; an empty text when it has none of that name.
fn value<'a>(fields: &'a [String], name: &str) -> &'a str {
    fields.chunks_exact(2).find(|pair| pair[0] == name).map_or("", |pair| pair[1].as_str())
}
