//! How connections are made, and whether one that was used may be used again.

use std::time::Duration;

use deadpool::managed::{Metrics, RecycleResult};
use deadpool_redis::{
    cluster,
    redis::{
        AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value,
        aio::{ConnectionLike, MultiplexedConnection},
        cluster_async::ClusterConnection,
    },
    sentinel,
};

use super::{Settings, address::Address};

/// Connections that were used within this time are used again without a question, which would be a round trip before each command.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(5);

pub(super) enum Manager {
    One(deadpool_redis::Manager),
    Cluster(cluster::Manager),
    Sentinel(sentinel::Manager),
}

pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Manager {
    pub(super) fn new(address: &Address, settings: &Settings) -> RedisResult<Self> {
        Ok(match address {
            Address::One(url) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(settings.connect_timeout))
                    .set_response_timeout(Some(settings.command_timeout));
                Self::One(deadpool_redis::Manager::new_with_config(url.as_str(), config)?)
            }
            Address::Cluster(nodes) => {
                Self::Cluster(cluster::Manager::new(nodes.iter().map(String::as_str).collect(), false)?)
            }
            Address::Sentinel { sentinels, master, tls, user, password, db } => {
                let node = sentinel::SentinelNodeConnectionInfo {
                    tls_mode: tls.then_some(sentinel::TlsMode::Secure),
                    redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                        db: *db,
                        username: user.clone(),
                        password: password.clone(),
                        ..deadpool_redis::RedisConnectionInfo::default()
                    }),
                };
                Self::Sentinel(sentinel::Manager::new(
                    sentinels.iter().map(String::as_str).collect(),
                    master.clone(),
                    Some(node),
                    sentinel::SentinelServerType::Master,
                )?)
            }
        })
    }
}

impl deadpool::managed::Manager for Manager {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        Ok(match self {
            Self::One(manager) => Connection::One(manager.create().await?),
            Self::Cluster(manager) => Connection::Cluster(manager.create().await?),
            Self::Sentinel(manager) => Connection::One(manager.create().await?),
        })
    }

    async fn recycle(&self, connection: &mut Connection, metrics: &Metrics) -> RecycleResult<RedisError> {
        if metrics.last_used() < TEST_AFTER_IDLE {
            return Ok(());
        }
        match (self, connection) {
            (Self::One(manager), Connection::One(one)) => manager.recycle(one, metrics).await,
            (Self::Sentinel(manager), Connection::One(one)) => manager.recycle(one, metrics).await,
            (Self::Cluster(manager), Connection::Cluster(cluster)) => manager.recycle(cluster, metrics).await,
            _ => Ok(()),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(one) => one.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(one) => one.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(one) => one.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}
