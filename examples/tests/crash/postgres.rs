//! A PostgreSQL server of the test's own, which it may stop.

use bunbase::db::testing::PostgresServer;

/// Makes and starts one, with these options, as `-c name=value`. `None` where the tests run on SQLite, and as
/// [`PostgresServer::start`] says.
pub fn start(options: &str) -> Option<PostgresServer> {
    if std::env::var("BUNBASE_TEST_DATABASE").as_deref() != Ok("postgres") {
        return None;
    }
    PostgresServer::start(|_| options.to_owned()).expect("it starts where it must")
}
