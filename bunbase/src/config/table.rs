//! Every configuration key, once: from here come the typed sections, the defaults, the variables and the documentation.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Access, Application, ByteSize, CancelOnDisconnect, ConnectionUrl, DataBackend, Environment, EventTransport,
    FrameOptions, Headers, Key, LogFormat, LongSecret, OnFailure, OtlpProtocol, RedisUrl, RequestLog, ResourcePolicy,
    Revocation, SameSite, Source, TenantIsolation, TenantSource, TraceSampler, check, sections::sections,
    setting::Setting,
};

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

sections! {
    /// What the application is called.
    app: AppConfig {
        /// The application's name, in the banner, the log and the API document.
        name: String = "bunbase app".to_owned(), says "the binary's name", check check::non_empty;
        /// The application's version.
        version: String = "0.0.0".to_owned(), says "the package's version", check check::non_empty;
        /// What this process does: `http`, `worker`, `scheduler`. `--roles` sets it too.
        roles: Vec<String> = words(["http", "worker", "scheduler"]), check check::roles;
        /// What keys are derived from: at least 32 bytes that nobody can guess. Needed for sessions, and where actions have `#[sensitive]` fields.
        secret: LongSecret = LongSecret::default(), says "in development one that is kept beside the SQLite file", env "BUNBASE_SECRET",
            guide "auth.sessionSecret" "none";
        /// Secrets that `app.secret` has replaced. What was sealed under them can still be opened, and sessions that they signed go on.
        previous_secrets: Vec<LongSecret> = Vec::new();
    }

    /// The HTTP server.
    http: HttpConfig {
        /// The address to listen on, without a port.
        host: String = "127.0.0.1".to_owned(), production "0.0.0.0".to_owned(), guide "hostname" "0.0.0.0", check check::host;
        /// The port to listen on. 0 takes a free one, which the banner names.
        port: u16 = 3000, env "PORT", guide "port" "3000";
        /// How many threads serve requests. 0 takes one for each core.
        workers: usize = 0;
        /// The largest request body, uploads included. An action may set its own.
        max_body_size: ByteSize = ByteSize::from_mib(10), guide "maxRequestBodySize" "10485760 bytes", check check::positive;
        /// How long a request may take until its first byte of response. An action may set its own. 0 is no limit.
        request_timeout: Option<Duration> = Some(Duration::from_secs(30));
        /// How long the head of a request, and the handshake of TLS, may take, at least `1s`: it is measured in half seconds. Then the
        /// connection ends, with 408. 0 is no limit.
        client_request_timeout: Option<Duration> = Some(Duration::from_secs(5)), check check::coarse;
        /// How long the body of a request may take to come, and a second more for each 500 bytes. Then it is answered with 408. 0 is no limit.
        body_timeout: Option<Duration> = Some(Duration::from_secs(20));
        /// How long a client may leave what it is sent untaken, at least `1s`; then its connection ends. 0 is no limit. Linux keeps this time
        /// (`TCP_USER_TIMEOUT`); elsewhere there is no limit.
        send_timeout: Option<Duration> = Some(Duration::from_mins(1)), check check::coarse;
        /// The longest path and query of a request. A longer one is answered with 414. The whole head may have 128 KiB and 96 headers.
        max_uri_size: ByteSize = ByteSize::from_kib(16), check check::positive;
        /// The names that the server answers to, such as `app.example.com` and `*.example.com`; another one in `Host` is answered with 421.
        /// Empty is every name. In development on an address of this machine, it is `localhost`, names below it, and addresses, and those
        /// are always among them.
        allowed_hosts: Vec<String> = Vec::new(), check check::host_patterns;
        /// How long the server goes on serving when it is to stop, while `/_health/ready` says 503: so long a load balancer has to notice.
        /// Connections end with their next answer meanwhile.
        shutdown_delay: Duration = Duration::ZERO, production Duration::from_secs(5);
        /// How long requests that have begun may still run at shutdown.
        shutdown_timeout: Duration = Duration::from_secs(30);
        /// How long an idle connection is kept open. 0 closes it after each response.
        keep_alive: Option<Duration> = Some(Duration::from_secs(75));
        /// The addresses of proxies in front of this server, such as `10.0.0.0/8`, whose word is taken for the address of the client, and by
        /// `X-Forwarded-Proto` and `X-Forwarded-Host`, or `Forwarded`, for the scheme and the host that it used.
        trusted_proxies: Vec<String> = Vec::new(), check check::networks;
        /// The header in which they say it: `x-forwarded-for`, `forwarded` (RFC 7239), or one with a single address.
        client_ip_header: String = "x-forwarded-for".to_owned(), check check::token;
        /// Which runs are cancelled when their client leaves: `safe` means those of GET and HEAD.
        cancel_on_disconnect: CancelOnDisconnect = CancelOnDisconnect::Safe;
        /// Whether responses are compressed, with brotli or gzip, for clients that ask for it.
        compression: bool = true;
        /// The smallest response that is worth compressing.
        compression_min_size: ByteSize = ByteSize::from_kib(1);
    }

    /// What keeps browsers from being used against the users of this server.
    security: SecurityConfig {
        /// Whether requests that change something (not GET, HEAD or OPTIONS) are refused when a browser says that a page of another origin
        /// makes them. `cors.origins` lists those that may; with cookies only where `cors.credentials` is true. Without a word from the
        /// browser, a session's cookie needs the session's token in `X-CSRF-Token`.
        csrf: bool = true;
        /// Paths that pages of every origin may send requests to, such as the one to which an identity provider posts a form.
        csrf_exempt: Vec<String> = Vec::new(), check check::paths;
        /// Whether answers have the headers below, `Cross-Origin-Opener-Policy: same-origin` where they are pages, and a policy by which
        /// nothing is loaded where they are JSON. A header that an action sets is left as it is.
        headers: bool = true;
        /// How long browsers remember that the server is reached by HTTPS only (`Strict-Transport-Security`). Sent over HTTPS. 0 is never.
        hsts: Option<Duration> = None, production Some(Duration::from_hours(24 * 365));
        /// Who may show answers in a frame: `deny`, `sameorigin`, or `off` for everybody (`X-Frame-Options`).
        frame_options: FrameOptions = FrameOptions::Deny;
        /// How much of an address pages tell to where they lead (`Referrer-Policy`).
        referrer_policy: String = "strict-origin-when-cross-origin".to_owned(), check check::token;
        /// Whose pages may show what is answered without being able to read it, such as images: `same-origin`, `same-site`, or
        /// `cross-origin` (`Cross-Origin-Resource-Policy`). `cors` is another matter.
        resource_policy: ResourcePolicy = ResourcePolicy::SameOrigin;
    }

    /// Encryption of connections, where no proxy in front of this server does it.
    tls: TlsConfig {
        /// The file with the certificate, and those between it and its authority, as PEM. Empty is without encryption.
        certificate: String = String::new();
        /// The file with the certificate's key, as PEM.
        key: String = String::new();
        /// How often the two are looked at. New connections have what is new; what is not right is logged, and what was there stays.
        reload_interval: Duration = Duration::from_secs(10), check check::positive;
    }

    /// What is built in and not for everybody: the document and its page, metrics, the details of health, tools.
    admin: AdminConfig {
        /// A second address to listen on, `127.0.0.1:9090`: all that is built in is there, without encryption, and none of the actions. On a
        /// loopback address it asks for no token; on another one, as `10.0.0.7:9090` and `0.0.0.0:9090`, it does, but for what is `public`. Not to
        /// be reached from the internet. Empty is none.
        addr: String = String::new(), check check::listen_address;
        /// What callers send as `Authorization: Bearer …` to see what needs it, at the server's own address and at an `admin.addr` that is not on
        /// loopback. Without one it is not there.
        token: LongSecret = LongSecret::default(), env "BUNBASE_ADMIN_TOKEN";
    }

    /// Uploads in `multipart/form-data`. `http.max_body_size` limits the whole request.
    multipart: MultipartConfig {
        /// How many files a request may carry.
        max_files: usize = 10;
        /// The largest single file. A field may set its own.
        max_file_size: ByteSize = ByteSize::from_mib(10), check check::positive;
        /// How much of a file is kept in memory; a larger one goes to a temporary file.
        memory_limit: ByteSize = ByteSize::from_mib(1);
        /// How many fields that are not files a request may carry.
        max_fields: usize = 100;
    }

    /// Which pages of other origins may call this API from a browser.
    cors: CorsConfig {
        /// The origins, such as `https://app.example.com`. Empty allows none, `*` all.
        origins: Vec<String> = Vec::new(), guide "cors.origin" "every origin", check check::origins;
        /// Whether browsers may send cookies along. Not together with the origin `*`.
        credentials: bool = false, guide "cors.credentials" "true";
        /// The methods that may be used.
        methods: Vec<String> = words(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
            guide "cors.methods" "GET, POST, PUT, PATCH, DELETE, OPTIONS", check check::methods;
        /// The request headers that may be sent.
        headers: Vec<String> = words(["Content-Type", "Authorization"]),
            guide "cors.headers" "Content-Type, Authorization", check check::tokens;
        /// The response headers that scripts may read.
        exposed_headers: Vec<String> = words(["x-trace-id"]), guide "cors.exposedHeaders" "none", check check::tokens;
        /// How long a browser may remember the answer to a preflight request.
        max_age: Duration = Duration::from_hours(24), guide "cors.maxAge" "86400 s";
    }

    /// The database.
    database: DatabaseConfig {
        /// The address: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`. SQLite files and their folders are created.
        url: ConnectionUrl = ConnectionUrl::default(), env "DATABASE_URL",
            guide "database.url" "postgresql://…@localhost:5432/bunbase";
        /// Whether `database.url` leads to PgBouncer in transaction mode. Then each statement outside of a transaction becomes one. `auto` finds
        /// out at start-up, and the log says so; a database that is away by then is taken for one without.
        pgbouncer: Option<bool> = None;
        /// Postgres itself, where `database.url` leads to PgBouncer: for migrations, and to hear wake-ups. Without it workers look by
        /// themselves, every `queue.poll_interval`.
        direct_url: Option<ConnectionUrl> = None, env "DATABASE_DIRECT_URL";
        /// Copies of the Postgres database that answer what actions read before they write, in turn.
        read_replica_url: Vec<ConnectionUrl> = Vec::new(), env "DATABASE_READ_URL", guide "database.readReplicaUrl" "none";
        /// How far a replica may be behind before it is left out until it is well again.
        max_lag: Duration = Duration::from_secs(5), check check::positive;
        /// Whether callers see what they have written although replicas answer: an answer after a write carries a mark, in the header
        /// `Bunbase-Read-After` and in a cookie, and a request that brings it is answered by a replica that has come as far, or by the primary.
        /// Needs `app.secret`.
        read_your_writes: bool = false;
        /// Functions of the database that write: a statement that names one stays on the primary.
        writing_functions: Vec<String> = Vec::new();
        /// How many connections to Postgres an instance opens at most.
        max_connections: u32 = 20, guide "database.maxConnections" "20", check check::positive;
        /// How many connections to Postgres stay open when nothing happens.
        min_connections: u32 = 0;
        /// How long a request waits for a free connection before it is answered with 503.
        acquire_timeout: Duration = Duration::from_secs(10), check check::positive;
        /// How long an unused connection stays open. 0 is no limit.
        idle_timeout: Option<Duration> = Some(Duration::from_secs(30)), guide "database.idleTimeout" "30000 ms";
        /// How long a connection is used before a new one takes its place. 0 is no limit.
        max_lifetime: Option<Duration> = Some(Duration::from_mins(30));
        /// SQLite: how long a statement waits for another process that is writing.
        busy_timeout: Duration = Duration::from_secs(5);
        /// SQLite: how many connections read beside the one that writes.
        readers: u32 = 4, check check::positive;
        /// Postgres: how long one statement may run before the server cancels it. 0 is no limit.
        statement_timeout: Option<Duration> = None;
        /// How long a statement takes that is logged as slow, without its values. 0 logs none.
        slow_query: Option<Duration> = Some(Duration::from_millis(100));
        /// Development: how often a run may repeat a statement before the log says so. 0 is no limit. In production it is not counted.
        n_plus_one: u32 = 10;
        /// Development: whether the plan of a slow SELECT is logged too, by `EXPLAIN`, which does not run it again. In production it never is.
        explain_slow: bool = false;
        /// How long a transaction may stay open before it is rolled back. 0 is no limit.
        transaction_timeout: Option<Duration> = Some(Duration::from_secs(30));
        /// Whether `serve` brings the tables up to date before it listens.
        migrate_on_start: bool = true;
        /// Whether `serve` runs the seeds that are due, before it listens.
        seed_on_start: bool = false;
    }

    /// Background jobs: those that actions enqueue, and those that events, schedules and webhooks make.
    queue: QueueConfig {
        /// How many jobs of one queue run at a time in this process. 0 is two for each core.
        concurrency: u32 = 0, guide "queue.startWorker() in a loop" "1 worker";
        /// The queues that this process works on; `mail=4` runs at most four of `mail` at a time. Empty takes all that its actions name.
        queues: Vec<String> = Vec::new();
        /// How long a worker owns the jobs that it took unless it says more. After a crash they come back when it is over.
        lease: Duration = Duration::from_secs(30), check check::lease;
        /// How long an idle worker waits before it looks by itself. Jobs that other processes store wake it earlier on Postgres.
        poll_interval: Duration = Duration::from_secs(1), check check::positive;
        /// How many jobs a worker takes, and ends, with one statement.
        batch: u32 = 500, check check::positive;
        /// How many attempts a job has whose action says nothing, the first included.
        max_attempts: u32 = 4, check check::positive;
        /// How long a job waits before it is raised by one priority. 0 is never.
        raise_after: Option<Duration> = Some(Duration::from_mins(5));
        /// How long a job that has ended stays in the table. 0 deletes it as it ends.
        retention: Option<Duration> = Some(Duration::from_hours(24));
        /// How long a dead letter is kept. 0 is for ever.
        failure_retention: Option<Duration> = None;
        /// How long running jobs may take to end at shutdown; then they are handed back.
        shutdown_timeout: Duration = Duration::from_secs(30);
    }

    /// What recurs.
    schedule: ScheduleConfig {
        /// The time zone of rules that name none, by its IANA name.
        zone: String = "UTC".to_owned(), check check::non_empty;
        /// How late a tick may be taken before it counts as missed.
        grace: Duration = Duration::from_mins(1), check check::positive;
    }

    /// Events.
    events: EventsConfig {
        /// How long an event stays in the outbox after it was handed to its subscribers. 0 deletes it at once.
        retention: Option<Duration> = Some(Duration::from_hours(24));
        /// How instances hear of each other's events: `database` means `NOTIFY`, `redis` a stream. Events are in the outbox either way.
        transport: EventTransport = EventTransport::Database;
    }

    /// Answers that are kept for calls with an idempotency key.
    idempotency: IdempotencyConfig {
        /// How long a call waits for another one with its key before it is answered with 409.
        wait: Duration = Duration::from_secs(10);
        /// How long an answer is kept.
        retention: Duration = Duration::from_hours(24), check check::positive;
    }

    /// Redis, for several instances: what `kv`, `lock`, `cache` and `rate_limit` keep goes there.
    redis: RedisConfig {
        /// The address: `redis://:PASSWORD@HOST:6379/0`, `rediss://` with TLS, `unix:///FILE`, `redis+cluster://A:6379,B:6379`, or
        /// `redis+sentinel://A:26379,B:26379/MASTER/0`. Empty is without Redis.
        url: RedisUrl = RedisUrl::default(), env "REDIS_URL", guide "redis.url" "redis://localhost:6379";
        /// What all keys begin with. Applications that share a server each need their own.
        prefix: String = String::new(), says "`app.name` and `:`";
        /// How many connections an instance opens at most.
        max_connections: u32 = 10, check check::positive;
        /// How long connecting, and waiting for a free connection, may take.
        connect_timeout: Duration = Duration::from_secs(5), guide "redis.connectionTimeout" "5000 ms", check check::positive;
        /// How long a command may take.
        command_timeout: Duration = Duration::from_secs(2), check check::positive;
        /// How long an unused connection stays open.
        idle_timeout: Duration = Duration::from_secs(30), guide "redis.idleTimeout" "30000 ms", check check::positive;
        /// What `kv`, `lock` and `rate_limit` do while Redis is away: `error` answers 503, `fallback` takes the database.
        on_failure: OnFailure = OnFailure::Error;
    }

    /// The key-value store.
    kv: KvConfig {
        /// Where values are: `redis`, `sql`, or `memory`, which each process has for itself and which ends with it. `auto` is Redis
        /// where `redis.url` is set, and the database otherwise.
        backend: DataBackend = DataBackend::Auto;
        /// The largest value, as JSON text.
        max_value_size: ByteSize = ByteSize::from_mib(1), check check::positive;
        /// How much is kept in memory, where that is the backend. The least recently used goes first.
        memory_limit: ByteSize = ByteSize::from_mib(64), check check::positive;
        /// While Redis is away: `fallback` takes the database. What is written there is not seen once Redis is back.
        on_failure: OnFailure = OnFailure::Error, like redis.on_failure;
    }

    /// Locks. Their fencing tokens are in the database wherever they are.
    lock: LockConfig {
        /// Where locks are: `redis` or `sql`. `auto` is Redis where `redis.url` is set, and the database otherwise.
        backend: DataBackend = DataBackend::Auto, check check::shared;
        /// How long who asks for a lock waits, unless it says otherwise; then it is answered with 409.
        wait: Duration = Duration::from_secs(10);
        /// While Redis is away: `fallback` takes the database. A lock that was held in Redis may then be held twice, until its lease
        /// ends; its fencing token is the smaller one.
        on_failure: OnFailure = OnFailure::Error, like redis.on_failure;
    }

    /// The cache.
    cache: CacheConfig {
        /// Where values are: `redis`, `sql` or `memory`. `auto` is Redis where `redis.url` is set, otherwise the database on
        /// Postgres, and each process's memory on SQLite.
        backend: DataBackend = DataBackend::Auto;
        /// How much is kept in memory, where that is the backend. The least recently used goes first.
        memory_limit: ByteSize = ByteSize::from_mib(64), check check::positive;
        /// How long other instances leave a load to the one that began it and is not heard of any more.
        load_lease: Duration = Duration::from_secs(10), check check::lease;
        /// How long it is remembered that there is no value, unless the code says otherwise.
        negative_ttl: Duration = Duration::from_secs(10), check check::positive;
        /// While the store is away: `fallback` loads everything and keeps nothing.
        on_failure: OnFailure = OnFailure::Fallback;
    }

    /// Rate limits.
    rate_limit: RateLimitConfig {
        /// Where calls are counted: `redis`, `sql`, or `memory`, where each process counts for itself. `auto` is Redis where `redis.url` is
        /// set, otherwise the database on Postgres, and each process's memory on SQLite.
        backend: DataBackend = DataBackend::Auto;
        /// For how many keys a process counts in memory, where that is the backend. The least recently used is forgotten first.
        max_keys: usize = 100_000, check check::positive;
        /// While Redis is away: `fallback` takes the database on Postgres, and each process's memory on SQLite.
        on_failure: OnFailure = OnFailure::Error, like redis.on_failure;
    }

    /// Sessions of people who sign in: tokens signed with `app.secret`, in a cookie or as `Authorization: Bearer …`.
    session: SessionConfig {
        /// The name of the cookie. Where it is secure and has no domain, `__Host-` comes before it.
        cookie: String = "bunbase_session".to_owned(), guide "auth.cookie.name" "bunbase_session", check check::token;
        /// Whether browsers send the cookie over https only.
        secure: bool = false, production true, guide "auth.cookie.secure" "false";
        /// With which requests of other sites browsers send it: `strict` none, `lax` when somebody follows a link, `none` all.
        same_site: SameSite = SameSite::Lax;
        /// The domain whose hosts all get the cookie. Empty is the one host that set it.
        domain: String = String::new(), check check::domain;
        /// How long a session goes on without being used.
        idle_timeout: Duration = Duration::from_hours(24), check check::positive;
        /// How long a session goes on however much it is used. Until then a sign-out is remembered.
        lifetime: Duration = Duration::from_hours(24 * 7), guide "auth.expiresIn" "604800 s", check check::positive;
        /// How old a cookie's token is when the next answer brings a new one of the same session.
        renew_after: Duration = Duration::from_mins(10);
        /// How soon a session that was ended is refused: `eventual` is everywhere within five seconds, and costs a request nothing; `immediate`
        /// asks Redis for each request, or the database; `off` means never, and needs no store.
        revocation: Revocation = Revocation::Eventual;
    }

    /// Passwords, as `ctx.passwords()` hashes and judges them.
    password: PasswordConfig {
        /// How much memory Argon2id takes for a hash. What is set here and below is the least that OWASP recommends.
        memory: ByteSize = ByteSize::from_mib(19), check check::positive;
        /// How many passes it makes over that.
        passes: u32 = 2, check check::positive;
        /// In how many lanes.
        lanes: u32 = 1, check check::positive;
        /// How many characters a new password has at least.
        min_length: usize = 8, check check::positive;
    }

    /// Tenants: customers with data of their own.
    tenants: TenantsConfig {
        /// How they are kept apart: `rows` of shared tables, by policies; a `schema` each; a `database` each. The first two are for
        /// Postgres. Where it is not `off`, an action runs for a tenant unless its guards have `across_tenants()`.
        isolation: TenantIsolation = TenantIsolation::Off;
        /// Where a request says its tenant: a `header`, the `subdomain` of the name that it was sent to, a parameter of the `path`, or
        /// the `session`, which means the organisation of whoever is signed in.
        from: TenantSource = TenantSource::Header;
        /// The header.
        header: String = "X-Tenant".to_owned(), check check::token;
        /// The domain below which each tenant has a name.
        domain: String = "localhost".to_owned(), check check::non_empty;
        /// The parameter of the path.
        parameter: String = "tenant".to_owned(), check check::non_empty;
        /// With `rows`: the role of Postgres that statements of tenants run as, made by `migrate`. Needed where the one that connects
        /// gets around policies, as a superuser does.
        role: String = String::new();
        /// More databases, each as `NAME=URL`. `tenants add ID --shard NAME` says whose data is there.
        shards: Vec<LongSecret> = Vec::new();
        /// How many connections to all shards together an instance opens at most, at least one to each.
        max_connections: u32 = 20, check check::positive;
    }

    /// Webhooks that come in.
    webhook: WebhookConfig {
        /// How long deliveries are kept as they were received, and known by their ids.
        retention: Duration = Duration::from_hours(24 * 7), check check::positive;
    }

    /// The server of the Model Context Protocol, whose tools are the actions marked `tool`.
    mcp: McpConfig {
        /// Who may reach it over HTTP, in the words of `openapi.access`. Without tools it is not served. The guards of the tools are asked
        /// either way. Where those read `Authorization`, it is `public`: one header cannot carry two tokens.
        access: Access = Access::Public, production Access::Token, guide "mcp" "false";
        /// Where it is served.
        path: String = "/mcp".to_owned(), check check::route;
        /// The names by which clients reach it. Another one in a request's `Host` is refused. Empty allows every name.
        /// A web page may only use it when it is of one of these hosts, or of `cors.origins`.
        hosts: Vec<String> = words(["localhost", "127.0.0.1", "::1"]), production Vec::new(), check check::hosts;
    }

    /// The records of what happened to each run, in the tables `action_runs` and `action_logs`.
    persistence: PersistenceConfig {
        /// Whether runs are recorded.
        enabled: bool = true, guide "persistence.enabled" "true";
        /// How long a record waits before it is written, in milliseconds.
        flush_interval_ms: u64 = 2000, guide "persistence.flushIntervalMs" "2000", check check::positive;
        /// How many records call for a write before that. Right after another one, that is 20 ms later, with all that wait by then.
        max_buffer_size: usize = 500, guide "persistence.maxBufferSize" "500", check check::positive;
        /// How much memory records may take that wait. Then the oldest successes are dropped and counted; a quarter is kept for failures and slow runs.
        max_buffered_bytes: ByteSize = ByteSize::from_mib(16), check check::positive;
        /// The share of successes that is recorded, from 0 to 1, chosen by the trace id. Failures and slow runs always are.
        sample: f64 = 1.0, check check::share;
        /// How long a run takes that counts as slow.
        slow: Duration = Duration::from_secs(1);
        /// What is recorded of what runs log: a level or filters, as in `log.level`; `off` records none of it.
        log_level: String = String::new(), like log.level, check check::log_filter;
        /// Whether the inputs of runs are recorded, without `#[sensitive]` fields, cookies and credentials.
        inputs: bool = false;
        /// Whether the answers of runs are recorded, likewise.
        outputs: bool = false;
        /// How long records are kept. 0 is for ever. On Postgres a month is dropped as a whole, when all of it is this old.
        retention: Option<Duration> = Some(Duration::from_hours(24 * 30));
    }

    /// The API document.
    openapi: OpenapiConfig {
        /// Who may read the document: everybody (`public`), who sends `admin.token` (`token`), nobody but at `admin.addr` (`admin`), or nobody
        /// (`off`). What needs the token is open at an `admin.addr` on loopback.
        access: Access = Access::Public, production Access::Token, guide "openapi.enabled" "required";
        /// Where the document is served.
        path: String = "/openapi.json".to_owned(), guide "openapi.path" "/api/openapi.json", check check::route;
        /// The title of the document.
        title: String = String::new(), like app.name, guide "openapi.title" "Bunbase API", check check::non_empty;
        /// The version of the API that the document describes.
        version: String = String::new(), like app.version, guide "openapi.version" "1.0.0", check check::non_empty;
    }

    /// The API reference page.
    docs: DocsConfig {
        /// Who may see the page, in the words of `openapi.access`; not more than may read the document, which it shows. Browsers do not send
        /// the token by themselves: in production the page is best looked at at `admin.addr`.
        access: Access = Access::Public, like openapi.access;
        /// Where the page is served.
        path: String = "/docs".to_owned(), check check::route;
    }

    /// The log.
    log: LogConfig {
        /// The level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or filters of `tracing` such as `info,my_app=debug`.
        level: String = "info".to_owned(), guide "observability.logging.level" "info", check check::log_filter;
        /// How a line looks.
        format: LogFormat = LogFormat::Pretty, production LogFormat::Json, guide "observability.logging.format" "json";
        /// Which requests have a line: `all`, or those that were `failed`, with 500 or more; the others then have one at `debug`. A line
        /// costs more than a small action.
        requests: RequestLog = RequestLog::All, production RequestLog::Failed;
        /// How many lines of one place in the code are written in ten seconds, at `warn` and `error`; the others are counted and told of.
        /// 0 is without limit.
        repeat_limit: u32 = 100;
        /// Whether the log is sent to a collector as well.
        otlp: bool = false, says "true where `otlp.endpoint` or `log.otlp_endpoint` is set",
            guide "observability.logging.otlp.enabled" "false";
        /// Where to, in full, such as `http://collector:4318/v1/logs`. Empty is `otlp.endpoint`.
        otlp_endpoint: String = String::new(), env "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            guide "observability.logging.otlp.endpoint" "http://localhost:4318/v1/logs", check check::collector;
        /// How it is sent.
        otlp_protocol: OtlpProtocol = OtlpProtocol::Http, like otlp.protocol, env "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL";
        /// The headers that it is sent with.
        otlp_headers: Headers = Headers::default(), like otlp.headers, env "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
            guide "observability.logging.otlp.headers" "none";
        /// How long the collector may take to answer, with all that is tried again.
        otlp_timeout: Duration = Duration::from_secs(10), like otlp.timeout, env "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
            check check::positive;
        /// The file with the certificates that the collector's is held against.
        otlp_certificate: String = String::new(), like otlp.certificate, env "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE";
        /// How many lines are sent at a time.
        otlp_batch_size: usize = 512, env "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
            guide "observability.logging.otlp.batchSize" "100", check check::positive;
        /// How long a line waits before it is sent.
        otlp_interval: Duration = Duration::from_secs(1), env "OTEL_BLRP_SCHEDULE_DELAY",
            guide "observability.logging.otlp.exportIntervalMs" "5000", check check::positive;
        /// How many lines may wait. Those that come then are left out and counted.
        otlp_queue_size: usize = 2048, env "OTEL_BLRP_MAX_QUEUE_SIZE", check check::positive;
    }

    /// Telemetry to a collector, by OTLP: what `tracing` and `log` have in common.
    otlp: OtlpConfig {
        /// Where the collector is. Over HTTP `/v1/traces` and `/v1/logs` are added.
        endpoint: String = String::new(), says "`http://localhost:4318`, with `grpc` port 4317",
            env "OTEL_EXPORTER_OTLP_ENDPOINT", check check::collector;
        /// How telemetry is sent. `grpc` needs the cargo feature `otlp-grpc`.
        protocol: OtlpProtocol = OtlpProtocol::Http, env "OTEL_EXPORTER_OTLP_PROTOCOL";
        /// The headers that it is sent with, such as `authorization=Bearer …`.
        headers: Headers = Headers::default(), env "OTEL_EXPORTER_OTLP_HEADERS";
        /// How long the collector may take to answer, with all that is tried again.
        timeout: Duration = Duration::from_secs(10), env "OTEL_EXPORTER_OTLP_TIMEOUT", check check::positive;
        /// The file with the certificates that the collector's is held against, as PEM. Empty takes those of the system.
        certificate: String = String::new(), env "OTEL_EXPORTER_OTLP_CERTIFICATE";
        /// What the service is called there.
        service_name: String = String::new(), like app.name, env "OTEL_SERVICE_NAME", check check::non_empty;
        /// More that is said of this process, each as `name=value`.
        resource_attributes: Vec<String> = Vec::new(), env "OTEL_RESOURCE_ATTRIBUTES", check check::pairs;
        /// Whether nothing is sent, whatever else is set.
        disabled: bool = false, env "OTEL_SDK_DISABLED";
        /// How long shutdown waits until what is left is sent.
        flush_timeout: Duration = Duration::from_secs(5), check check::positive;
    }

    /// Traces: what a request, a job or an event causes, over all processes.
    tracing: TracingConfig {
        /// Whether they are recorded.
        enabled: bool = false, says "true where `otlp.endpoint` or `tracing.endpoint` is set",
            guide "observability.tracing.enabled" "false";
        /// Which of them. With a ratio `tracing.sampling_ratio` counts; with a parent a caller's `traceparent` decides where there is one.
        sampler: TraceSampler = TraceSampler::ParentRatio, env "OTEL_TRACES_SAMPLER";
        /// The share that is recorded, from 0 to 1, chosen by the trace id.
        sampling_ratio: f64 = 1.0, env "OTEL_TRACES_SAMPLER_ARG", guide "observability.tracing.samplingRate" "1.0", check check::share;
        /// Where they are sent to, in full, such as `http://collector:4318/v1/traces`. Empty is `otlp.endpoint`.
        endpoint: String = String::new(), env "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            guide "observability.tracing.otlp.endpoint" "http://localhost:4318/v1/traces", check check::collector;
        /// How they are sent.
        protocol: OtlpProtocol = OtlpProtocol::Http, like otlp.protocol, env "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
        /// The headers that they are sent with.
        headers: Headers = Headers::default(), like otlp.headers, env "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            guide "observability.tracing.otlp.headers" "none";
        /// How long the collector may take to answer, with all that is tried again.
        timeout: Duration = Duration::from_secs(10), like otlp.timeout, env "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            check check::positive;
        /// The file with the certificates that the collector's is held against.
        certificate: String = String::new(), like otlp.certificate, env "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE";
        /// How many spans are sent at a time.
        batch_size: usize = 512, env "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            guide "observability.tracing.otlp.batchSize" "100", check check::positive;
        /// How long a span waits before it is sent.
        interval: Duration = Duration::from_secs(5), env "OTEL_BSP_SCHEDULE_DELAY",
            guide "observability.tracing.otlp.exportIntervalMs" "5000", check check::positive;
        /// How many spans may wait. Those that come then are left out and counted.
        queue_size: usize = 2048, env "OTEL_BSP_MAX_QUEUE_SIZE", check check::positive;
    }

    /// What the process measures, in the text format of OpenMetrics.
    metrics: MetricsConfig {
        /// Who may read it, in the words of `openapi.access`. With `off` nothing is measured.
        access: Access = Access::Public, production Access::Token;
        /// Where it is served.
        path: String = "/_metrics".to_owned(), check check::route;
        /// What a collector sends as `Authorization: Bearer …`, where it is not to know `admin.token`.
        token: LongSecret = LongSecret::default(), like admin.token, env "BUNBASE_METRICS_TOKEN";
        /// How old what is served may be: whoever reads within this time gets what another got. `0s` writes it each time.
        max_age: Duration = Duration::from_secs(1);
        /// Whether the process itself is measured: its processor time, memory, files and threads.
        include_default_metrics: bool = true, guide "observability.metrics.includeDefaultMetrics" "true";
        /// The upper bounds of the buckets that times are counted in, in milliseconds, ascending.
        latency_buckets: Vec<f64> = vec![0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0],
            check check::buckets;
    }

    /// What helps to find out why something is slow: the level of the log, the state of the runtime, profiles. It tells much and costs much
    /// while it is used, so it is off.
    debug: DebugConfig {
        /// Who may use it, in the words of `openapi.access`.
        access: Access = Access::Off;
        /// What its paths begin with: `…/log`, `…/log/level`, `…/runtime`, and with the features for profiling `…/cpu` and `…/heap`.
        path: String = "/_debug".to_owned(), check check::route;
        /// Whether tokio's console may watch the tasks of this process, by `tokio-console http://127.0.0.1:6669`. Needs the feature
        /// `tokio-console` and a build with `RUSTFLAGS="--cfg tokio_unstable"`, whose tasks cost more.
        console: bool = false;
        /// The address at which the console finds them, without a token and without encryption: one of this machine alone.
        console_addr: String = "127.0.0.1:6669".to_owned(), check check::listen_address;
    }

    /// The health endpoints. `/_health/live` and `/_health/ready` are open to everybody, and tell nothing but the status.
    health: HealthConfig {
        /// Who may see the details of `/_health`, in the words of `openapi.access`. All others see the status.
        access: Access = Access::Public, production Access::Token;
        /// How old an answer of a dependency may be before it is asked again.
        max_age: Duration = Duration::from_secs(1);
    }
}
