//! What was measured, as it is stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the form; another one is not compared.
pub(crate) const FORMAT: u32 = 1;

/// How long answers took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p75: f64,
    pub(crate) p90: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// What the load tool says of one run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Load {
    /// How long it took, in seconds.
    pub(crate) duration_s: f64,
    /// Answers, whatever their status.
    pub(crate) requests: u64,
    /// Answers with another status than 200 to 299.
    pub(crate) non_2xx: u64,
    /// Requests without an answer.
    pub(crate) errors: u64,
    /// Answers by status, where the tool tells.
    pub(crate) statuses: BTreeMap<String, u64>,
    /// What the errors were, where the tool tells.
    pub(crate) error_kinds: BTreeMap<String, u64>,
    pub(crate) latency_ms: Latency,
}

impl Load {
    /// Returns answers a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    pub(crate) fn throughput(&self) -> f64 {
        if self.duration_s > 0.0 { self.requests as f64 / self.duration_s } else { 0.0 }
    }
}

/// What the processes used in one run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// Processor time of the server, in seconds; `None` where it runs elsewhere.
    pub(crate) server_cpu_s: Option<f64>,
    /// The most memory that the server had resident.
    pub(crate) server_rss_bytes: Option<u64>,
    /// Processor time of the database's processes, in seconds; `None` where there are none on this machine.
    pub(crate) database_cpu_s: Option<f64>,
    /// The most memory that its sessions had, shared pages counted by their share.
    pub(crate) database_memory_bytes: Option<u64>,
    /// Processor time of Redis, in seconds.
    pub(crate) redis_cpu_s: Option<f64>,
    /// Processor time of the load tool, in seconds.
    pub(crate) tool_cpu_s: Option<f64>,
    /// What others used, as a share of all cores.
    pub(crate) foreign_cpu: Option<f64>,
}

/// One run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Run {
    #[serde(flatten)]
    pub(crate) load: Load,
    #[serde(flatten)]
    pub(crate) usage: Usage,
    /// Whether it was left out of what is said of all.
    pub(crate) is_outlier: bool,
}

/// One scenario on one server: medians of the runs.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Measured {
    pub(crate) scenario: String,
    /// The server: `bunbase`, `twin`, or the path of another one.
    pub(crate) server: String,
    /// Answers a second.
    pub(crate) throughput: f64,
    pub(crate) latency_ms: Latency,
    /// Of all runs together.
    pub(crate) requests: u64,
    /// Requests without an answer, and answers that are not 200 to 299, of all runs together.
    pub(crate) errors: u64,
    /// The share of all requests that were answered with 200 to 299, in percent.
    pub(crate) success_percent: f64,
    /// Requests per second of the server's processor time.
    pub(crate) requests_per_cpu_s: Option<f64>,
    /// Of a second, how much the server was on a processor.
    pub(crate) server_cores: Option<f64>,
    pub(crate) database_cores: Option<f64>,
    pub(crate) server_rss_bytes: Option<u64>,
    pub(crate) database_memory_bytes: Option<u64>,
    /// The fastest run less the slowest, as a share of the median.
    pub(crate) spread: f64,
    /// Why the numbers are not to be trusted; empty where they are.
    pub(crate) unsound: Vec<String>,
    /// Why the scenario failed.
    pub(crate) failed: Option<String>,
    pub(crate) runs: Vec<Run>,
}

/// Two servers in turn.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Pair {
    pub(crate) scenario: String,
    /// What is measured, and what it is measured against.
    pub(crate) a: String,
    pub(crate) b: String,
    /// Medians of each round's A ÷ B.
    pub(crate) throughput_ratio: f64,
    /// The same per second of processor time.
    pub(crate) per_cpu_ratio: Option<f64>,
    pub(crate) p50_ratio: f64,
    pub(crate) p99_ratio: f64,
    pub(crate) p99_9_ratio: f64,
    pub(crate) rss_ratio: Option<f64>,
    /// Each round's ratios of throughput, which show how steady they are.
    pub(crate) throughput_ratios: Vec<f64>,
    pub(crate) per_cpu_ratios: Vec<f64>,
}

/// What can differ between two machines.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Cpu and cores as part of a file's name: baselines are kept by it.
    pub(crate) class: String,
}

/// What was run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Versions {
    pub(crate) bunbase: String,
    pub(crate) git_commit: Option<String>,
    /// Whether the work tree differed from the commit.
    pub(crate) git_is_dirty: Option<bool>,
    pub(crate) rustc: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) redis: Option<String>,
    pub(crate) load_tool: String,
}

/// How it was run.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Setup {
    pub(crate) duration_s: u64,
    pub(crate) warmup_s: u64,
    pub(crate) runs: usize,
    pub(crate) connections: usize,
    pub(crate) pipelining: usize,
    /// Requests a second, where they are sent at a fixed rate; latencies are then corrected for coordinated omission.
    pub(crate) rate: Option<u64>,
    pub(crate) workers: usize,
    /// `sqlite`, `postgres`, or what `--url` leads to.
    pub(crate) database: String,
    pub(crate) rows: u64,
    pub(crate) uses_redis: bool,
    /// Configuration keys that were set besides.
    pub(crate) settings: Vec<String>,
}

/// What the machine was like.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Conditions {
    /// Of the last minute, before anything was run and after all of it.
    pub(crate) load_average_before: Option<f64>,
    pub(crate) load_average_after: Option<f64>,
    /// One byte there and back over TCP, the median, in milliseconds.
    pub(crate) round_trip_ms: Option<f64>,
    /// What the load tool reaches against the twin's smallest answer, in requests a second, by tool.
    pub(crate) ceilings: BTreeMap<String, f64>,
}

/// Resident memory of a server, in bytes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Memory {
    pub(crate) server: String,
    pub(crate) idle: u64,
    /// What of it is the process's own; the rest are pages of files, the program's above all, which the system may drop and read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle_own: Option<u64>,
    pub(crate) at_100_connections: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_100_connections_own: Option<u64>,
    pub(crate) at_500_connections: u64,
    /// What 20 more connections to the database take in the server, and in the database where it is on this machine.
    pub(crate) per_20_database_connections: Option<i64>,
    pub(crate) per_20_database_connections_there: Option<i64>,
    /// What a pool of connections to Redis takes in the server.
    pub(crate) per_redis_pool: Option<i64>,
}

/// A file of results.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Results {
    pub(crate) format: u32,
    /// RFC 3339.
    pub(crate) started_at: String,
    pub(crate) machine: Machine,
    pub(crate) versions: Versions,
    pub(crate) setup: Setup,
    pub(crate) conditions: Conditions,
    /// Why none of the numbers are to be trusted; empty where they are.
    pub(crate) unsound: Vec<String>,
    pub(crate) scenarios: Vec<Measured>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) memory: Vec<Memory>,
}
