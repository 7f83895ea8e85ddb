//! What is measured of runs.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use crate::{
    observe::{
        ByStatus, ByText, Counter, Counters, Durations, Entered, Gauge, Gauges, Histograms, Labels, Metrics,
        trace::Trace,
    },
    runs::RunStatus,
};

/// Errors by their code, whoever answers them.
pub(crate) type Errors = ByText;

/// What is measured of the runs of all actions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measures {
    executions: Counters,
    durations: Histograms,
    in_flight: Gauges,
    retries: Counters,
    refusals: Counters,
    errors: Errors,
}

/// What is measured of the runs of one action. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct OfAction(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    executions: [Counter; RunStatus::ALL.len()],
    durations: Durations,
    in_flight: Gauge,
    retries: Counter,
    refusals: ByStatus,
    errors: Errors,
    /// Done by its first run.
    shown: Once,
}

impl Measures {
    /// Registers what is measured.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let errors = metrics.counters("bunbase_errors", "Errors that were answered, by their code");
        Self {
            executions: metrics.counters("bunbase_action_executions", "Runs that have ended"),
            durations: metrics.histograms(
                "bunbase_action_duration_ms",
                "How long runs take, all attempts and waits included, in milliseconds",
            ),
            in_flight: metrics.moving("bunbase_action_in_flight", "Runs that have not ended"),
            retries: metrics.counters("bunbase_action_retries", "Attempts after the first one, within a run"),
            refusals: metrics.counters("bunbase_guard_refusals", "Runs that a guard refused"),
            errors: ByText::new(&errors, "code"),
        }
    }

    /// Returns the errors, for who answers some without a run.
    pub(crate) fn errors(&self) -> Errors {
        self.errors.clone()
    }

    /// Returns what is measured of one action, with its labels resolved.
    pub(crate) fn of(&self, action: &'static str) -> OfAction {
        let labels: Labels = vec![("action", action.into())];
        let ended = |status: RunStatus| {
            let mut labels = labels.clone();
            labels.push(("status", status.as_str().into()));
            self.executions.of(labels)
        };
        OfAction(Arc::new(Inner {
            executions: RunStatus::ALL.map(ended),
            durations: self.durations.of(labels.clone()),
            in_flight: self.in_flight.of(&labels),
            retries: self.retries.of(labels.clone()),
            refusals: ByStatus::new(&self.refusals, labels),
            errors: self.errors.clone(),
            shown: Once::new(),
        }))
    }
}

impl OfAction {
    /// Counts a run until the answer is dropped.
    pub(super) fn enter(&self) -> Entered<&Gauge> {
        // From its first run on each end has a series: one that began with its first failure would hide that from `rate`.
        self.0.shown.call_once(|| {
            self.0.executions.iter().for_each(Counter::show);
            self.0.retries.show();
        });
        self.0.in_flight.enter()
    }

    /// Takes in the end of a run, with the code of its error; and its trace, which one can look at if it is recorded.
    pub(super) fn ended(&self, status: RunStatus, took: Duration, code: Option<&str>, trace: &Trace) {
        self.0.executions[status as usize].count();
        let id = trace.id();
        self.0.durations.add_of(took, trace.is_recording().then_some(&id as _));
        if let Some(code) = code {
            self.0.errors.count(code);
        }
    }

    /// Counts an attempt after the first.
    pub(super) fn retried(&self) {
        self.0.retries.count();
    }

    /// Counts a guard's refusal, by its status over HTTP.
    pub(super) fn refused(&self, status: u16) {
        self.0.refusals.count(status);
    }
}
