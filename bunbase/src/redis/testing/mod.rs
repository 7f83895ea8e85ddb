//! Redis in tests: a prefix of one's own on a server that others use too, or servers of one's own.

mod several;

use std::{
    env, fmt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub use self::several::{RedisCluster, RedisSentinel, free_port};
use super::{Redis, Settings, cmd};
use crate::{Error, Result};

/// Opens the server at `BUNBASE_TEST_REDIS_URL` (`redis://127.0.0.1:6379` unless said), with a prefix that no other test has. When
/// it cannot be reached there is a visible note and `None`, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
///
/// # Errors
/// When it must be there and cannot be reached.
pub async fn shared() -> Result<Option<Redis>> {
    let url = env::var("BUNBASE_TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let redis = Redis::open(&Settings::new(url, prefix()))?;
    match redis.ping().await {
        Ok(()) => Ok(Some(redis)),
        Err(error) if env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1") => {
            Err(Error::new(500, "test_redis", "BUNBASE_TEST_REQUIRE_SERVICES=1, and no Redis answers").caused_by(error))
        }
        Err(_) => {
            eprintln!("SKIPPED on Redis: no server answers at BUNBASE_TEST_REDIS_URL");
            Ok(None)
        }
    }
}

/// Returns a prefix that no other test has. What a test leaves behind on a shared server expires there, or is small.
pub fn prefix() -> String {
    format!("bunbase-test-{}:", uuid::Uuid::new_v4().simple())
}

/// A server of one's own on a socket in a temporary folder, which keeps nothing: to stop, to start again and to flush. It goes when
/// this is dropped.
pub struct RedisServer {
    folder: TempDir,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one. `None`, with a visible note, where `redis-server` is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    ///
    /// # Errors
    /// When it must start and does not.
    pub async fn start() -> Result<Option<Self>> {
        let mut server = Self { folder: tempfile::tempdir()?, child: None };
        skipped(server.start_again().await.map(|()| server))
    }

    /// Gives it so much memory beyond what it uses, and has it drop the keys that were not used for longest when that is full.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn limit_memory(&self, more_bytes: u64) -> Result<()> {
        let redis = self.redis()?;
        let most = redis.usage().await?.used_memory_bytes + more_bytes;
        let set =
            async |name: &str, value: String| redis.run::<()>(cmd("CONFIG").arg("SET").arg(name).arg(value)).await;
        set("maxmemory-policy", "allkeys-lru".to_owned()).await?;
        set("maxmemory", most.to_string()).await
    }

    /// Has one key of it expire.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn expire_one(&self) -> Result<()> {
        let redis = self.redis()?;
        redis.run::<()>(cmd("SET").arg("own:expires").arg(1).arg("PX").arg(1)).await?;
        while redis.read::<Option<i64>>(cmd("GET").arg("own:expires")).await?.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Opens it, with time limits that a test can wait for.
    ///
    /// # Errors
    /// As [`Redis::open`].
    pub fn redis(&self) -> Result<Redis> {
        Redis::open(&Settings { connect_timeout: Duration::from_secs(2), ..Settings::new(self.url(), "own:") })
    }

    /// Starts it again, empty, after [`stop`](Self::stop).
    ///
    /// # Errors
    /// When it does not answer within 10 s.
    pub async fn start_again(&mut self) -> Result<()> {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"])
            .arg("--dir")
            .arg(self.folder.path())
            .arg("--unixsocket")
            .arg(self.socket())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(10);
        while !answers(&self.socket()).await {
            if Instant::now() > until {
                return Err(Error::internal("redis-server does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Ends it at once.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Loses everything that it keeps.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn flush(&self) -> Result<()> {
        self.redis()?.run::<()>(&cmd("FLUSHALL")).await
    }
}

/// Passes on what has started; what has not is an error where it is required.
fn skipped<T>(started: Result<T>) -> Result<Option<T>> {
    match started {
        Ok(started) => Ok(Some(started)),
        Err(error) if env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1") => Err(error),
        Err(error) => {
            eprintln!("SKIPPED on a Redis of the test's own: {error}");
            Ok(None)
        }
    }
}

async fn answers(socket: &Path) -> bool {
    tokio::net::UnixStream::connect(socket).await.is_ok()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer").field("folder", &self.folder).finish_non_exhaustive()
    }
}
