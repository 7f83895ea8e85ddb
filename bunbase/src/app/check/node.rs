//! What a server of Redis says of itself, read from its own words (`INFO`).

/// A server of Redis; a cluster has several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) version: String,
    pub(super) used_memory_bytes: u64,
    /// 0 is no limit.
    pub(super) max_memory_bytes: u64,
    /// What goes when there is no room: `noeviction`, `allkeys-lru`, …; empty where it does not say.
    pub(super) policy: String,
    /// Whether each change is appended to a file.
    pub(super) appends: bool,
    /// When it writes a snapshot, as its configuration has it; empty is never, `None` where it does not say.
    pub(super) snapshots: Option<String>,
    /// Whether the last snapshot, or the last append, failed.
    pub(super) save_failed: bool,
    /// How many servers follow it.
    pub(super) replicas: u64,
    /// Keys that were dropped for want of room since it started.
    pub(super) evicted_keys: u64,
    /// Keys whose time was over.
    pub(super) expired_keys: u64,
}

impl Node {
    pub(super) fn read(text: &str, snapshots: Option<String>) -> Self {
        let mut node = Self { snapshots, ..Self::default() };
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let number = || value.parse().unwrap_or(0);
            match name {
                "redis_version" => value.clone_into(&mut node.version),
                "used_memory" => node.used_memory_bytes = number(),
                "maxmemory" => node.max_memory_bytes = number(),
                "maxmemory_policy" => value.clone_into(&mut node.policy),
                "aof_enabled" => node.appends = value == "1",
                "rdb_last_bgsave_status" | "aof_last_write_status" => node.save_failed |= value != "ok",
                "connected_slaves" => node.replicas = number(),
                "evicted_keys" => node.evicted_keys = number(),
                "expired_keys" => node.expired_keys = number(),
                _ => {}
            }
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_from_its_own_words() {
        let text = "# Server\r\nredis_version:7.0.15\r\nused_memory:100\r\nmaxmemory:200\r\nmaxmemory_policy:allkeys-lru\r\n\
                    aof_enabled:1\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\nconnected_slaves:2\r\n\
                    evicted_keys:3\r\nexpired_keys:4\r\n";
        let expected = Node {
            version: "7.0.15".to_owned(),
            used_memory_bytes: 100,
            max_memory_bytes: 200,
            policy: "allkeys-lru".to_owned(),
            appends: true,
            snapshots: Some(String::new()),
            save_failed: true,
            replicas: 2,
            evicted_keys: 3,
            expired_keys: 4,
        };
        assert_eq!(Node::read(text, Some(String::new())), expected);
        assert_eq!(Node::read("not a line\nmaxmemory:x\n", None), Node::default());
    }
}
