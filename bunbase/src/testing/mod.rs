//! An application in a test: a database of its own, typed calls, and HTTP requests whose answers are held against the document.
//!
//! Here: [`TestApp`] and its requests. Nothing in this room runs in production; it is behind the feature `testing`.
//!
//! ```no_run
//! # use bunbase::prelude::*;
//! # use bunbase::testing::TestApp;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let app = TestApp::start(App::new()).await;
//! let answer = app.get("/_health/live").send().await;
//! assert_eq!(answer.status(), 200);
//! # Ok(())
//! # }
//! ```

mod doors;
mod request;
mod thread;

use std::{fmt, net::SocketAddr, sync::Arc};

use serde_json::Value;

use self::thread::InProcess;
pub use self::{
    doors::{Run, TestCall},
    request::{TestRequest, TestResponse},
};
pub use crate::assert_enqueued;
pub use crate::db::testing::TestDatabase;
use crate::{
    Result,
    action::Action,
    app::{
        App, Wired,
        background::{Background, Roles},
        telemetry::Telemetry,
    },
    config::{Config, Loader},
    context::Services,
    db::Db,
    http::{self, RunningServer},
    openapi::Document,
    registry::Registry,
    session::Grant,
};

/// What sealed values of tests are sealed with.
const SECRET: &str = "the secret of an application that is tested";

/// A running application for one test, with a database of its own: SQLite in a temporary folder, or Postgres where
/// `BUNBASE_TEST_DATABASE=postgres`. Its migrations have run. Both go when it is dropped.
pub struct TestApp {
    http: InProcess,
    pub(crate) document: Document,
    pub(crate) registry: Registry,
    services: Arc<Services>,
    telemetry: Telemetry,
    pub(crate) checked: bool,
    // Last: the connections above are closed before the database goes.
    _database: TestDatabase,
}

impl TestApp {
    /// Starts an application in process. Requests need no port.
    ///
    /// # Panics
    /// When it does not start; the message says why.
    pub async fn start(app: App) -> Self {
        Self::with_checks(app, true).await
    }

    /// Starts an application whose answers are not held against its document.
    ///
    /// # Panics
    /// When it does not start; the message says why.
    pub async fn start_unchecked(app: App) -> Self {
        Self::with_checks(app, false).await
    }

    async fn with_checks(app: App, checked: bool) -> Self {
        let database = database().await;
        let wired = wire(app, &database).await;
        let Wired { services, registry, document, table, mounts, telemetry, .. } = wired;
        let http = InProcess::start(table, mounts);
        Self { http, document, registry, services, telemetry, checked, _database: database }
    }

    /// Begins a GET request; likewise the other methods.
    pub fn get(&self, uri: &str) -> TestRequest<'_> {
        self.request("GET", uri)
    }

    /// Begins a POST request.
    pub fn post(&self, uri: &str) -> TestRequest<'_> {
        self.request("POST", uri)
    }

    /// Begins a PUT request.
    pub fn put(&self, uri: &str) -> TestRequest<'_> {
        self.request("PUT", uri)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, uri: &str) -> TestRequest<'_> {
        self.request("PATCH", uri)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, uri: &str) -> TestRequest<'_> {
        self.request("DELETE", uri)
    }

    /// Begins a request of any method.
    pub fn request(&self, method: &str, uri: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, uri)
    }

    /// Calls an action with its message, without HTTP; `.as_user("7")` says who calls.
    ///
    /// # Errors
    /// The action's own error, or the framework's.
    pub fn call<A: Action>(&self, message: A) -> TestCall<'_, A> {
        TestCall::new(&self.services, message)
    }

    /// Returns the application's database.
    pub fn db(&self) -> &Db {
        &self.services.db
    }

    /// Returns the OpenAPI document.
    pub fn document(&self) -> &Value {
        self.document.value()
    }

    /// Signs somebody in, and returns the token: for [`TestRequest::bearer`].
    ///
    /// # Panics
    /// When the database does not answer, or what is granted is too long.
    pub async fn sign_in(&self, grant: Grant) -> String {
        self.services.sessions.begin(grant).await.unwrap_or_else(|error| panic!("{error:?}")).token
    }

    /// Sends the spans that are left, as a process does that stops. Those of what runs afterwards are not recorded.
    pub async fn stop_tracing(&self) {
        self.telemetry.clone().stop().await;
    }

    pub(crate) fn http(&self) -> &InProcess {
        &self.http
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("actions", &self.registry.actions().len()).finish_non_exhaustive()
    }
}

/// An application that listens on a free port of this machine, for tests of connections. Requests come by a client of the test's own.
pub struct ListeningApp {
    server: RunningServer,
    background: Background,
    services: Arc<Services>,
    document: Document,
    telemetry: Telemetry,
    database: Arc<TestDatabase>,
}

impl ListeningApp {
    /// Starts an application on a free port.
    ///
    /// # Panics
    /// When it does not start; the message says why.
    pub async fn start(app: App) -> Self {
        Self::over(Arc::new(database().await), app).await
    }

    /// Starts another instance over the same database.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn another(&self, app: App) -> Self {
        Self::over(self.database.clone(), app).await
    }

    async fn over(database: Arc<TestDatabase>, app: App) -> Self {
        let wired = wire(app.config("http.port", 0).config("http.workers", 2), &database).await;
        let background = Background::start(&wired, Roles::of(&wired.config)).await;
        let background = background.unwrap_or_else(|error| panic!("{error:?}"));
        let Wired { services, document, table, admin, mounts, health, telemetry, .. } = wired;
        let all = http::Served { main: Some((table, mounts)), admin, health };
        let server = http::serve(all).unwrap_or_else(|error| panic!("{error:?}"));
        Self { server, background, services, document, telemetry, database }
    }

    /// Returns the address that it listens on.
    ///
    /// # Panics
    /// When it listens nowhere, which does not happen after `start`.
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// Returns the address where what is built in is served by itself, as `admin.addr` says.
    ///
    /// # Panics
    /// When there is none.
    pub fn admin_address(&self) -> SocketAddr {
        *self.server.admin_addresses().first().unwrap_or_else(|| panic!("`admin.addr` is not set"))
    }

    /// Returns a URL of it: `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Calls an action with its message, without HTTP.
    ///
    /// # Errors
    /// The action's own error, or the framework's.
    pub fn call<A: Action>(&self, message: A) -> TestCall<'_, A> {
        TestCall::new(&self.services, message)
    }

    /// Returns the application's database.
    pub fn db(&self) -> &Db {
        &self.services.db
    }

    /// Returns the OpenAPI document.
    pub fn document(&self) -> &Value {
        self.document.value()
    }

    /// Holds an answer, which came to the test's own client, against the document, as a [`TestApp`] does with each of its own.
    ///
    /// # Panics
    /// When the answer is not what the document says; the message lists every deviation.
    #[track_caller]
    pub fn hold(&self, method: &str, uri: &str, status: u16, headers: &[(String, String)], body: &[u8]) {
        request::hold(self.document(), method, uri, status, headers, body);
    }

    /// Stops it as a signal would.
    ///
    /// # Errors
    /// When a worker failed.
    pub async fn stop(self) -> Result<()> {
        let (stopped, mut writer) = tokio::join!(self.server.stop(), self.background.stop());
        writer.stop().await;
        self.telemetry.stop().await;
        stopped
    }
}

impl fmt::Debug for ListeningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListeningApp").field("server", &self.server).finish_non_exhaustive()
    }
}

async fn wire(app: App, database: &TestDatabase) -> Wired {
    let config = configured(&app, database);
    let wired =
        Wired::new(app, config).await.unwrap_or_else(|error| panic!("the application does not start: {error:?}"));
    let migrated = wired.migrate().await;
    migrated.unwrap_or_else(|error| panic!("the migrations do not run: {error:?}"));
    wired
}

fn configured(app: &App, database: &TestDatabase) -> Config {
    // A secret of its own, so that none is made and kept in the folder that the test runs in.
    let (url, settings) = (database.url(), database.settings());
    let loader = Loader::new().development().set("database.url", url).set("app.secret", SECRET);
    // It is known, and need not be found out by every test.
    let loader = loader.set("database.pgbouncer", settings.pgbouncer == Some(true));
    let loader = match settings.direct_url {
        Some(direct) => loader.set("database.direct_url", direct),
        None => loader,
    };
    // A test asks what has just been counted.
    let loader = loader.set("metrics.max_age", "0s");
    let loader = app.settings.iter().fold(loader, |loader, (key, value)| loader.set(key, value.clone()));
    loader.load().unwrap_or_else(|errors| panic!("{errors}"))
}

async fn database() -> TestDatabase {
    TestDatabase::create().await.unwrap_or_else(|error| panic!("no database for the test: {error:?}"))
}
