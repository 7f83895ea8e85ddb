//! Whether a Postgres server has room for the connections that the instances of an application may open.

use sea_orm::{DbBackend, FromQueryResult};

use super::Db;
use crate::Result;

/// Connections of a process beside its pool: one hears wake-ups, one broadcast events, one migrates.
pub(crate) const BESIDE_THE_POOL: u32 = 3;

/// The connections that the server gives to applications, and how many processes there are whose name begins so, this one included.
const ROOM: &str = "SELECT
        current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint AS room,
        (SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE starts_with(application_name, $1)) AS instances";

#[derive(FromQueryResult)]
struct Row {
    room: i64,
    instances: i64,
}

/// More connections than the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Crowded {
    /// The instances that are connected now.
    pub instances: u32,
    /// The connections that the server gives to applications.
    pub room: u32,
    /// The largest [`max_connections`](super::Settings::max_connections) that so many instances have room for; at least 1.
    pub fits: u32,
}

impl Db {
    /// Returns what is wrong when the instances of an application, each with as many connections as this pool may open, are more than
    /// the server has room for. `name` is what their [`application_name`](super::Settings::application_name)s begin with.
    ///
    /// Nothing is wrong on SQLite, and behind PgBouncer, which has the connections.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn crowded(&self, name: &str) -> Result<Option<Crowded>> {
        if self.backend() != DbBackend::Postgres || self.pools_transactions() {
            return Ok(None);
        }
        let row: Row = self.sql(ROOM).bind(name).one().await?;
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(crowded(self.settings().max_connections, number(row.instances.max(1)), number(row.room.max(0))))
    }
}

fn crowded(pool: u32, instances: u32, room: u32) -> Option<Crowded> {
    let wanted = u64::from(instances) * (u64::from(pool) + u64::from(BESIDE_THE_POOL));
    let fits = (room / instances.max(1)).saturating_sub(BESIDE_THE_POOL).max(1);
    (wanted > u64::from(room)).then_some(Crowded { instances, room, fits })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::TestDatabase, *};
    use crate::db::Settings;

    #[test]
    fn what_fits_is_what_each_may_have() {
        assert_eq!(crowded(20, 4, 97), None);
        assert_eq!(crowded(20, 5, 97), Some(Crowded { instances: 5, room: 97, fits: 16 }));
        assert_eq!(crowded(16, 5, 97), None);
        assert_eq!(crowded(20, 200, 97).map(|crowded| crowded.fits), Some(1));
    }

    #[tokio::test]
    async fn instances_are_counted_by_their_names() {
        for database in TestDatabase::each().await.unwrap().into_iter().map(TestDatabase::directly) {
            let name = format!("shop-{}", uuid::Uuid::new_v4().simple());
            let open = |instance: u32, max_connections: u32| Settings {
                application_name: format!("{name} http host:{instance}"),
                max_connections,
                ..database.settings()
            };
            let few = Db::open(&open(1, 1)).await.unwrap();
            assert_eq!(few.crowded(&name).await.unwrap(), None);
            let many = Db::open(&open(2, 1_000_000)).await.unwrap();
            let crowded = many.crowded(&name).await.unwrap();
            match database.backend() {
                DbBackend::Postgres => assert_eq!(crowded.map(|crowded| crowded.instances), Some(2)),
                _ => assert_eq!(crowded, None),
            }
        }
    }
}
