//! What Redis says of its memory.

use deadpool_redis::redis::{FromRedisValue, Value, cmd};
use serde::Serialize;

use super::Redis;
use crate::Result;

/// The memory of a server and what it has dropped since it started; of a cluster, all nodes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// How much memory is in use, in bytes.
    pub used_memory_bytes: u64,
    /// How much may be, in bytes; 0 is no limit.
    pub max_memory_bytes: u64,
    /// Keys that were dropped because there was no room. Under a policy that evicts, values may go before their time.
    pub evicted_keys: u64,
    /// Keys whose time was over.
    pub expired_keys: u64,
}

impl Redis {
    /// Asks how much memory is in use, and what was dropped.
    ///
    /// # Errors
    /// 503 when there is no answer; 500 where this user may not ask (`INFO`).
    pub async fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        for text in self.info().await? {
            usage.add(&text);
        }
        Ok(usage)
    }

    /// Asks each server about itself: a text of `name:value` lines from each.
    pub(crate) async fn info(&self) -> Result<Vec<String>> {
        Ok(texts(self.read::<Value>(&cmd("INFO")).await?))
    }

    /// Asks for a setting of the server. `None` where this user may not ask, which hosted ones refuse as a rule, and of a cluster.
    pub(crate) async fn setting(&self, name: &str) -> Option<String> {
        let asked = self.read::<Vec<String>>(cmd("CONFIG").arg("GET").arg(name)).await;
        asked.ok().filter(|pair| pair.len() == 2).and_then(|mut pair| pair.pop())
    }
}

/// A cluster answers with the text of each node.
fn texts(answer: Value) -> Vec<String> {
    let nodes = match answer {
        Value::Map(nodes) => nodes.into_iter().map(|(_, text)| text).collect(),
        one => vec![one],
    };
    nodes.into_iter().filter_map(|node| String::from_redis_value(node).ok()).collect()
}

impl Usage {
    fn add(&mut self, text: &str) {
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let field = match name {
                "used_memory" => &mut self.used_memory_bytes,
                "maxmemory" => &mut self.max_memory_bytes,
                "evicted_keys" => &mut self.evicted_keys,
                "expired_keys" => &mut self.expired_keys,
                _ => continue,
            };
            *field += value.trim().parse::<u64>().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_passed_over_and_nodes_are_added_up() {
        let mut usage = Usage::default();
        for _ in 0..2 {
            usage.add("# Memory\r\nused_memory:100\r\nused_memory_human:100B\r\nmaxmemory:0\r\nevicted_keys:3\r\nexpired_keys:x\r\n");
        }
        assert_eq!(usage, Usage { used_memory_bytes: 200, max_memory_bytes: 0, evicted_keys: 6, expired_keys: 0 });
    }
}
