//! Several servers of one's own, on ports of loopback: a cluster, and a master with a replica and the sentinel that watches them.

use std::{
    fmt,
    future::Future,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::skipped;
use crate::{Error, Result};

/// How long servers may take to know of each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Processes of `redis-server`; they end when this is dropped.
struct Processes {
    folder: TempDir,
    children: Vec<Child>,
}

impl Processes {
    fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, children: Vec::new() })
    }

    /// Starts one that keeps nothing, with these arguments besides.
    fn start(&mut self, arguments: &[&str]) -> Result<()> {
        let child = Command::new("redis-server")
            .args(arguments)
            .args(["--bind", "127.0.0.1", "--daemonize", "no", "--loglevel", "warning"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.children.push(child);
        Ok(())
    }

    /// Ends one at once.
    fn kill(&mut self, number: usize) {
        if let Some(child) = self.children.get_mut(number) {
            // It may have ended, which is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for number in 0..self.children.len() {
            self.kill(number);
        }
    }
}

/// Three masters that share all slots.
pub struct RedisCluster {
    ports: Vec<u16>,
    _processes: Processes,
}

impl RedisCluster {
    /// Starts one. `None`, with a visible note, where Redis is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    ///
    /// # Errors
    /// When it must start and does not.
    pub async fn start() -> Result<Option<Self>> {
        skipped(Self::try_start().await)
    }

    async fn try_start() -> Result<Self> {
        let mut processes = Processes::new()?;
        let ports = cluster_ports(3)?;
        for port in &ports {
            let (port, nodes) = (port.to_string(), format!("nodes-{port}.conf"));
            let cluster =
                ["--cluster-enabled", "yes", "--cluster-config-file", &nodes, "--cluster-node-timeout", "2000"];
            processes.start(&[&["--port", &port, "--save", "", "--appendonly", "no"], &cluster[..]].concat())?;
        }
        for port in &ports {
            until("redis-server answers", async || cli(*port, &["ping"]).trim() == "PONG").await?;
        }
        let nodes: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(&nodes).args(["--cluster-replicas", "0", "--cluster-yes"]);
        let made = create.output()?;
        if !made.status.success() {
            return Err(Error::internal(format!("no cluster: {}", String::from_utf8_lossy(&made.stdout))));
        }
        for port in &ports {
            until("the cluster is whole", async || cli(*port, &["cluster", "info"]).contains("cluster_state:ok"))
                .await?;
        }
        Ok(Self { ports, _processes: processes })
    }

    /// Returns its address: that of one node, which knows the others.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.ports[0])
    }

    /// Returns how many keys each node has.
    pub fn sizes(&self) -> Vec<u64> {
        self.ports.iter().map(|port| cli(*port, &["dbsize"]).trim().parse().unwrap_or(0)).collect()
    }
}

/// A master, a replica of it, and a sentinel that makes that one the master when the first is away for half a second.
pub struct RedisSentinel {
    port: u16,
    processes: Processes,
}

impl RedisSentinel {
    /// Starts them. `None`, with a visible note, where Redis is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    ///
    /// # Errors
    /// When they must start and do not.
    pub async fn start() -> Result<Option<Self>> {
        skipped(Self::try_start().await)
    }

    async fn try_start() -> Result<Self> {
        let mut processes = Processes::new()?;
        let (master, replica, port) = (free_port()?, free_port()?, free_port()?);
        let nothing = ["--save", "", "--appendonly", "no"];
        processes.start(&[&["--port", &master.to_string()], &nothing[..]].concat())?;
        until("redis-server answers", async || cli(master, &["ping"]).trim() == "PONG").await?;
        let of = format!("127.0.0.1 {master}");
        processes.start(&[&["--port", &replica.to_string(), "--replicaof", &of], &nothing[..]].concat())?;
        until("the replica follows", async || cli(replica, &["info", "replication"]).contains("master_link_status:up"))
            .await?;
        let file = processes.folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nsentinel monitor main 127.0.0.1 {master} 1\nsentinel down-after-milliseconds main 500\n\
             sentinel failover-timeout main 5000\n"
        );
        std::fs::write(&file, text)?;
        processes.start(&[&file.to_string_lossy(), "--sentinel"])?;
        let known = async || cli(port, &["sentinel", "master", "main"]).contains("num-slaves\n1\n");
        until("the sentinel knows both", known).await?;
        Ok(Self { port, processes })
    }

    /// Returns the address: the sentinel's, and the name of the master.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.port)
    }

    /// Ends the master at once.
    pub fn kill_master(&mut self) {
        self.processes.kill(0);
    }
}

/// Asks a server, and returns what it says; nothing when it does not.
fn cli(port: u16, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    let asked = command.args(["-p", &port.to_string()]).args(arguments).stderr(Stdio::null()).output();
    asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) -> Result<()> {
    let give_up = Instant::now() + PATIENCE;
    while !is_so().await {
        if Instant::now() > give_up {
            return Err(Error::internal(format!("waited {PATIENCE:?} in vain until {what}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Returns a port that nobody has at this moment.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Returns ports for nodes of a cluster, which listen to each other 10 000 above.
fn cluster_ports(count: usize) -> Result<Vec<u16>> {
    // Below those that the system gives away, so that nobody else has taken them by the time they are used.
    let first = 10_000 + u16::try_from(std::process::id() % 10_000).unwrap_or(0);
    let is_free = |port: u16| [port, port + 10_000].iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = (first..=21_000).filter(|port| is_free(*port)).take(count).collect();
    if ports.len() == count { Ok(ports) } else { Err(Error::internal("no ports are free for a cluster")) }
}

impl fmt::Debug for RedisCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCluster").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisSentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSentinel").field("port", &self.port).finish_non_exhaustive()
    }
}
