//! What is measured of requests and connections.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use actix_web::{dev::Extensions, http::Method};

use crate::{
    invoke::Errors,
    observe::{ByStatus, Counters, Durations, Entered, Gauge, Histograms, Labels, Metrics, trace::TraceId},
};

/// The methods that are told apart.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// The path of requests that reach nothing.
const UNMATCHED: &str = "unmatched";

/// How many paths of mounted services are told apart.
const MOUNTED: usize = 200;

/// What is measured of the requests of a server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    requests: Counters,
    durations: Histograms,
    in_flight: Gauge,
    connections: Gauge,
    errors: Errors,
    unmatched: Place,
    mounted: RwLock<HashMap<String, Arc<Place>>>,
}

/// What is measured at one path, by method. Each is made by its first request.
#[derive(Default)]
pub(crate) struct Place {
    path: String,
    methods: [OnceLock<(ByStatus, Durations)>; METHODS.len()],
}

impl Measures {
    /// Registers what is measured.
    pub(crate) fn new(metrics: &Metrics, errors: Errors) -> Self {
        if !metrics.is_on() {
            return Self(None);
        }
        let in_flight = metrics.moving(
            "bunbase_http_requests_in_flight",
            "Requests that are being answered, those of mounted services left out",
        );
        let help = "Connections that are open at the server's own address";
        let connections = metrics.moving("bunbase_active_connections", help);
        let help = "How long requests take until the head of their answer is made, in milliseconds";
        Self(Some(Arc::new(Inner {
            requests: metrics.counters("bunbase_http_requests", "Requests that were answered"),
            durations: metrics.histograms("bunbase_http_request_duration_ms", help),
            in_flight: in_flight.of(&Labels::new()),
            connections: connections.of(&Labels::new()),
            errors,
            unmatched: Place::new(UNMATCHED),
            mounted: RwLock::default(),
        })))
    }

    /// Counts a request until the answer is dropped.
    pub(crate) fn enter(&self) -> Option<Entered<&Gauge>> {
        self.0.as_ref().map(|inner| inner.in_flight.enter())
    }

    /// Returns what actix is to do with each new connection.
    pub(crate) fn on_connect(&self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + Clone + 'static {
        let inner = self.0.clone();
        move |_connection, kept| {
            if let Some(inner) = &inner {
                // It lives as long as the connection.
                kept.insert(inner.connections.enter_for_long());
            }
        }
    }

    /// Takes in an answer. `place` is none where the request reached nothing, `trace` where nobody can look at its trace.
    pub(crate) fn answered(
        &self,
        place: Option<&Place>,
        (method, status): (&Method, u16),
        took: Duration,
        trace: Option<TraceId>,
    ) {
        if let Some(inner) = &self.0 {
            let (statuses, durations) = place.unwrap_or(&inner.unmatched).at(method, inner);
            statuses.count(status);
            durations.add_of(took, trace.as_ref().map(|trace| trace as _));
        }
    }

    /// Takes in the answer of a mounted service, by the pattern of the path that actix has found it under.
    pub(crate) fn mounted(&self, pattern: Option<&str>, method: &Method, status: u16, took: Duration) {
        if let Some(inner) = &self.0 {
            let place = pattern.and_then(|pattern| inner.of_mounted(pattern));
            self.answered(place.as_deref(), (method, status), took, None);
        }
    }

    /// Takes in an error that no run answered.
    pub(crate) fn failed(&self, code: &str) {
        if let Some(inner) = &self.0 {
            inner.errors.count(code);
        }
    }
}

impl Inner {
    fn of_mounted(&self, pattern: &str) -> Option<Arc<Place>> {
        let known = self.mounted.read().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
        known.or_else(|| {
            let mut mounted = self.mounted.write().unwrap_or_else(PoisonError::into_inner);
            let has_room = mounted.len() < MOUNTED || mounted.contains_key(pattern);
            has_room.then(|| mounted.entry(pattern.to_owned()).or_insert_with(|| Arc::new(Place::new(pattern))).clone())
        })
    }
}

impl Place {
    /// The requests of a path, as it is written in the code.
    pub(crate) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), methods: Default::default() }
    }

    fn at(&self, method: &Method, inner: &Inner) -> &(ByStatus, Durations) {
        let index = index(method);
        self.methods[index].get_or_init(|| {
            let labels: Labels = vec![("method", METHODS[index].into()), ("path", self.path.clone().into())];
            (ByStatus::new(&inner.requests, labels.clone()), inner.durations.of(labels))
        })
    }
}

fn index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        Method::OPTIONS => 6,
        _ => 7,
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("path", &self.path).finish_non_exhaustive()
    }
}
