//! Encrypted connections to a server of the test's own, with a certificate of the test's own.

use std::path::Path;

use super::{
    super::{Settings, testing::PostgresServer},
    *,
};

/// A PostgreSQL server with `ssl = on`. Its certificate is for `localhost`, signed by an authority that nobody knows.
struct Server(PostgresServer);

impl Server {
    /// Starts one. There is none where PostgreSQL is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    fn start() -> Option<Self> {
        let options = |folder: &Path| {
            crate::certificates::make(folder);
            let at = folder.display();
            format!(
                "-c listen_addresses=localhost -c ssl=on -c ssl_cert_file={at}/server.crt -c ssl_key_file={at}/server.key"
            )
        };
        PostgresServer::start(options).unwrap().map(Self)
    }

    /// Returns whether the connection is encrypted, or what the attempt came to.
    async fn ask(&self, host: &str, query: &str) -> Result<bool, crate::Error> {
        let url = format!("postgres://bunbase@{host}:{}/postgres?{query}", self.0.port());
        let db = Db::open(&Settings::new(url)).await?;
        db.sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar().await
    }

    fn root(&self) -> String {
        self.0.folder().join("ca.crt").display().to_string()
    }
}

#[tokio::test]
async fn a_connection_is_as_secret_and_as_sure_as_its_address_says() {
    let Some(server) = Server::start() else { return };
    let root = format!("&sslrootcert={}", server.root());
    assert!(!server.ask("localhost", "sslmode=disable").await.unwrap());
    for mode in ["prefer", "require"] {
        assert!(server.ask("localhost", &format!("sslmode={mode}")).await.unwrap(), "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        assert!(server.ask("localhost", &format!("sslmode={mode}{root}")).await.unwrap(), "{mode}");
        // Nobody knows who signed it.
        let error = server.ask("localhost", &format!("sslmode={mode}")).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{mode}: {error:?}");
    }
    // It is for another name.
    assert!(server.ask("127.0.0.1", &format!("sslmode=verify-ca{root}")).await.unwrap());
    let error = server.ask("127.0.0.1", &format!("sslmode=verify-full{root}")).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
}
