//! What a handler may reach during one invocation.
//!
//! Here: [`Ctx`], the request as guards and handlers see it, the trace id, and the application's own state. Not here: the
//! services themselves, and opening a context (`invoke`).

mod data;
mod database;
mod identity;
mod job;
mod read_after;
mod request;
mod session;
mod state;
mod tenancy;
mod transaction;

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex as StdMutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
};

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;
use serde_json::Value;
use smallvec::SmallVec;
use tokio::sync::Semaphore;
use tracing::Event;

pub use self::{
    database::{Database, Primary},
    identity::{Identity, UnknownIdentity},
    job::Job,
    request::{Network, Request, RequestHead},
    session::Session,
    state::State,
    transaction::Tx,
};
pub(crate) use self::{
    database::{Lazy, Scope},
    identity::{Caused, Who},
    read_after::{HEADER as READ_AFTER, ReadAfter},
    request::bearer,
    session::{Held, Standing},
    tenancy::Entered,
    transaction::Shared,
};
pub use crate::observe::trace::TraceId;
use crate::{
    Error, Result,
    action::Door,
    cache::Cache,
    clock::Clock,
    config::Config,
    db::{Db, Sql, notify::Notifier},
    error::{InvalidInput, Place},
    events::Events,
    guard::Provider,
    idempotency::Keys,
    kv::Kv,
    limit::Limits,
    lock::Locks,
    observe::{
        Metrics, Refusal,
        trace::{Run, Trace, Tracer},
    },
    password::Passwords,
    queue::{JobStore, Wake},
    runs::{Notes, Recorder},
    schedule::Schedules,
    schema::FromText,
    seal::{PageKeys, Sealer, Sensitive},
    session::Sessions,
    tenant::{TenantId, Tenants},
};

/// The names of the actions that led to a run: mostly its own, and that of another.
pub(crate) type Chain = SmallVec<[&'static str; 2]>;

/// What an action may reach while it runs. Cheap to clone; a clone is the same run.
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) services: Arc<Services>,
    pub(crate) db: Database,
    pub(crate) action: &'static str,
    pub(crate) trace: Trace,
    pub(crate) door: Door,
    pub(crate) attempt: AtomicU32,
    /// Who causes it; a guard may establish that.
    pub(crate) who: RwLock<Who>,
    pub(crate) job: Option<Job>,
    pub(crate) request: Option<Request>,
    /// The message's fields, behind a door that has no path.
    pub(crate) fields: Option<Value>,
    /// The names of the actions that led here, this one last.
    pub(crate) chain: Chain,
    /// What providers have made: seldom more than two, so a list is found through sooner than a map.
    pub(crate) provided: StdMutex<Vec<(TypeId, Box<dyn Any + Send + Sync>)>>,
    /// What it gathers for its record.
    pub(crate) notes: Notes,
    /// The session behind the request; that of the [`root`](Ctx::root) counts.
    pub(crate) session: Held,
    /// The headers that guards add to the answer.
    pub(crate) headers: StdMutex<Vec<(&'static str, String)>>,
    /// The mark of what it has written, for the answer.
    pub(crate) written: OnceLock<String>,
    /// The tenant that it was stored or called with.
    pub(crate) carried_tenant: Option<TenantId>,
    /// The tenant that it has entered.
    pub(crate) entered: OnceLock<Entered>,
}

impl Run for Inner {
    fn action(&self) -> &'static str {
        self.action
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }

    fn keep(&self, event: &Event<'_>) {
        if self.services.recorder.limits().logs {
            self.notes.keep(event, self.services.clock.now());
        }
    }
}

/// What all runs share. Made once, by `app`.
#[derive(Debug)]
pub struct Services {
    /// The application's own values.
    pub state: Arc<State>,
    /// The database.
    pub db: Db,
    /// The configuration.
    pub config: Arc<Config>,
    /// The time.
    pub clock: Clock,
    /// What wakes others, here and in other processes.
    pub notifier: Notifier,
    /// What wakes workers.
    pub wake: Wake,
    /// Events.
    pub events: Events,
    /// What recurs.
    pub schedules: Schedules,
    /// Answers that are kept for calls with an idempotency key.
    pub keys: Keys,
    /// Values by their keys.
    pub kv: Kv,
    /// What one of all instances does at a time.
    pub locks: Locks,
    /// What can be made again.
    pub cache: Cache,
    /// How often callers may come.
    pub limits: Limits,
    /// What seals `#[sensitive]` values in stored messages; there is none where nothing needs it.
    pub sealer: Option<Arc<Sealer>>,
    /// Where jobs are kept.
    pub jobs: Arc<dyn JobStore>,
    /// What is measured.
    pub metrics: Metrics,
    /// What remembers every run.
    pub recorder: Recorder,
    /// What begins spans.
    pub tracer: Tracer,
    /// Whether what is logged outside of records says which run it belongs to.
    pub names_runs: bool,
    /// How many runs that compute may do so at a time: as many as there are cores.
    pub(crate) cpu: Arc<Semaphore>,
    /// How to reach the other actions: the table of `invoke`, which is above this room and so has no name here.
    pub(crate) calls: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
    /// Passwords.
    pub passwords: Passwords,
    /// Who is signed in.
    pub sessions: Sessions,
    /// What makes tokens of pages, and checks them.
    pub(crate) page_keys: PageKeys,
    /// What lets callers read what they have written, where that is asked for.
    pub(crate) read_after: Option<Arc<ReadAfter>>,
    /// Whose data is where.
    pub tenants: Tenants,
    /// The shard that these are of; empty for the main database.
    pub(crate) shard: String,
    /// The services of all shards, where these are of the main database.
    pub(crate) shards: OnceLock<BTreeMap<String, Arc<Services>>>,
}

impl Services {
    /// Writes a message to be stored, with its sensitive values sealed. `owner` is the action or the event that it belongs to.
    pub(crate) fn seal(&self, owner: &str, sensitive: &Sensitive, message: &impl Serialize) -> Result<String> {
        match &self.sealer {
            Some(sealer) => sealer.seal(owner, sensitive, message),
            None if sensitive.any() => Err(Error::internal("there is no `app.secret` to seal sensitive values with")),
            None => Ok(serde_json::to_string(message)?),
        }
    }

    /// Returns bytes to be stored beside a message: sealed, where the message has sensitive fields.
    pub(crate) fn seal_bytes(&self, owner: &str, sensitive: &Sensitive, place: &str, bytes: &[u8]) -> Result<Vec<u8>> {
        match &self.sealer {
            _ if !sensitive.any() => Ok(bytes.to_vec()),
            Some(sealer) => sealer.seal_bytes(owner, place, bytes).map(String::into_bytes),
            None => Err(Error::internal("there is no `app.secret` to seal sensitive values with")),
        }
    }

    /// Reads a message that was stored.
    pub(crate) fn unseal(&self, owner: &str, text: &str) -> Result<Value> {
        Ok(match &self.sealer {
            Some(sealer) => serde_json::from_str(&sealer.open(owner, text)?)?,
            None => serde_json::from_str(text)?,
        })
    }
}

impl Ctx {
    /// Opens a context.
    pub(crate) fn open(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// Returns the run that led to this one: itself, where nobody called it.
    pub(crate) fn root(&self) -> &Self {
        self.0.db.caller().map_or(self, Self::root)
    }

    /// Returns the run as what is logged in it and rooms below see it; none where nobody wants to know of either.
    pub(crate) fn as_current(&self) -> Option<Arc<dyn Run>> {
        let Inner { services, trace, .. } = &*self.0;
        // Where requests go out, they say whose they are, recorded or not.
        let is_asked = services.names_runs || trace.is_recording() || cfg!(feature = "reqwest");
        let is_wanted = is_asked || services.recorder.limits().logs;
        is_wanted.then(|| self.0.clone() as Arc<dyn Run>)
    }

    /// Returns the full name of the running action, such as `tasks.create_task`.
    pub fn action(&self) -> &'static str {
        self.0.action
    }

    /// Returns the W3C trace id of this run's trace: the caller's, or a new one.
    pub fn trace_id(&self) -> TraceId {
        self.0.trace.id()
    }

    /// Returns the W3C `traceparent` by which whoever is called from here becomes part of this trace: for clients that nothing does
    /// that for. The feature `reqwest` has a middleware that does.
    pub fn traceparent(&self) -> String {
        self.0.trace.traceparent()
    }

    /// Returns the W3C `tracestate` that goes with [`traceparent`](Self::traceparent), if the caller sent one.
    pub fn tracestate(&self) -> Option<&str> {
        self.0.trace.tracestate()
    }

    /// Returns how this run was reached.
    pub fn door(&self) -> Door {
        self.0.door
    }

    /// Returns which attempt of its run this is, from 1. Over HTTP, as a tool and in a call the run itself retries; behind the other
    /// doors each claim of the queue is one attempt.
    pub fn attempt(&self) -> u32 {
        self.0.attempt.load(Ordering::Relaxed)
    }

    /// Returns who causes this run: what a guard has established, or who enqueued, emitted or called it.
    pub fn identity(&self) -> Identity {
        self.0.who.read().unwrap_or_else(PoisonError::into_inner).identity()
    }

    /// Establishes who causes this run; for guards and providers that have checked it.
    pub fn identify(&self, identity: Identity) {
        self.is_by(Who::Known(identity));
    }

    pub(crate) fn is_by(&self, who: Who) {
        *self.0.who.write().unwrap_or_else(PoisonError::into_inner) = who;
    }

    /// Returns the job behind this run; `None` behind doors without a queue.
    pub fn job(&self) -> Option<&Job> {
        self.0.job.as_ref()
    }

    /// Returns the time, cut to microseconds: what both databases keep. A test may move it.
    pub fn now(&self) -> DateTime<Utc> {
        self.0.services.clock.now()
    }

    /// Returns what the process measures, for metrics of the application's own: `ctx.metrics().counter("shop_sold", "…").inc(&[])`.
    pub fn metrics(&self) -> &Metrics {
        &self.0.services.metrics
    }

    /// Returns the clock that the framework itself waits on; a test may move it.
    pub fn clock(&self) -> &Clock {
        &self.0.services.clock
    }

    /// Returns the HTTP request behind this run; `None` behind other doors.
    pub fn request(&self) -> Option<&Request> {
        self.0.request.as_ref()
    }

    /// Logs an error of the run by which somebody was refused. One of an action that another calls is an error of that one, too.
    pub(crate) fn log_refusal(&self, status: u16, code: &str) {
        if !Refusal::is(status) || self.0.door == Door::Call {
            return;
        }
        let user = match self.identity() {
            Identity::Anonymous => None,
            known => Some(known.scope()),
        };
        let client = self.request().and_then(Request::client_ip);
        let (action, door, trace) = (Some(self.0.action), self.0.door.as_str(), self.trace_id());
        Refusal { action, path: None, door, status, code, client, user: user.as_deref(), trace: &trace }.log();
    }

    /// Changes the headers that the answer will carry besides the action's own, whether the run succeeds or fails: for guards. Behind
    /// doors without a response they go nowhere. Names are lower case.
    pub fn answer_with(&self, change: impl FnOnce(&mut Vec<(&'static str, String)>)) {
        change(&mut self.0.headers.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the database, for SeaORM's entities and queries.
    pub fn db(&self) -> &Database {
        self.0.db()
    }

    /// Starts a raw SQL statement, with `$1` for values on both databases; see [`Sql`].
    pub fn sql<'a>(&'a self, sql: &'a str) -> Sql<'a, Database> {
        self.0.db().sql(sql)
    }

    /// Runs `f` in a transaction: commits when it answers `Ok`, and leaves nothing behind otherwise.
    ///
    /// Inside, everything goes through `tx`; a write through the context fails at once.
    ///
    /// # Errors
    /// Those of `f`; 504 when it takes longer than `database.transaction_timeout`; 503 when the database is away or busy; 500 when a
    /// transaction of this run is open already. See [`Db::transaction`].
    pub async fn transaction<T>(&self, f: impl AsyncFnOnce(&Tx) -> Result<T>) -> Result<T> {
        self.0.db().transaction(self, f).await
    }

    /// Returns the tenants of the application: which there are, and to add one.
    pub fn tenants(&self) -> &Tenants {
        &self.0.services.tenants
    }

    /// Writes who causes this run, and for which tenant, as what it stores carries it.
    pub(crate) fn caused(&self) -> Result<String> {
        Ok(serde_json::to_string(&Caused { identity: self.identity(), tenant: self.tenant().cloned() })?)
    }

    /// Returns what hashes passwords, checks them, and says which are weak.
    pub fn passwords(&self) -> &Passwords {
        &self.0.services.passwords
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.services.config
    }

    /// Reads a parameter of the path, for guards: they run before the input is decoded. Behind doors without a path it is the
    /// message's field of that name.
    ///
    /// # Errors
    /// 422 when there is no such parameter or it is not a `T`.
    pub fn path_param<T: FromText>(&self, name: &str) -> Result<T, InvalidInput> {
        let text = match (&self.0.fields, &self.0.request) {
            (Some(fields), _) => match &fields[name] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            (None, Some(request)) => return request.path_param(name),
            (None, None) => None,
        };
        let texts: Vec<Cow<'_, str>> = text.into_iter().map(Cow::Owned).collect();
        request::read(Place::Path, name, &texts)
    }

    /// Returns the application's own value of type `T`, as given to `App::state`.
    ///
    /// # Errors
    /// 500 when the application was built without one; the log says which type is missing.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<&T> {
        self.0.services.state.get::<T>().ok_or_else(|| {
            Error::internal(format!("no state of type `{}`: give it to `App::state`", std::any::type_name::<T>()))
        })
    }

    /// Returns what a guard provides, made once per run.
    ///
    /// # Errors
    /// The guard's refusal.
    pub async fn provide<P: Provider>(&self) -> Result<P> {
        let provided = || self.0.provided.lock().unwrap_or_else(PoisonError::into_inner);
        let known = provided().iter().find_map(|(kind, value)| {
            if *kind == TypeId::of::<P>() { value.downcast_ref::<P>().cloned() } else { None }
        });
        if let Some(value) = known {
            return Ok(value);
        }
        // Not under the lock: a provider may ask for another one.
        let value = {
            let mut span = self.0.trace.part(|| format!("guard {}", P::name()).into());
            let provided = P::provide(self).await.map_err(Into::into);
            if let Err(error) = &provided {
                span.write(|span| span.refused(error.status(), error.code()));
            }
            provided?
        };
        provided().push((TypeId::of::<P>(), Box::new(value.clone())));
        Ok(value)
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("action", &self.0.action)
            .field("trace_id", &self.0.trace.id())
            .finish_non_exhaustive()
    }
}

/// Returns the time, cut to microseconds: what both databases keep, so that a value is the same before and after it was stored.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
