//! What is measured of a store.

use std::sync::Arc;

use crate::observe::{Counter, Metrics, labels};

/// What was asked of a store, by kind and by how it ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Measures(Option<Arc<[[Counter; 2]; 2]>>);

impl Measures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        if !metrics.is_on() {
            return Self(None);
        }
        let operations = metrics.counters("bunbase_kv_operations", "Operations of the key-value store");
        let of = |operation| {
            ["ok", "error"].map(|result| operations.at_zero(labels([("operation", operation), ("result", result)])))
        };
        Self(Some(Arc::new(["read", "write"].map(of))))
    }

    pub(super) fn ended(&self, writes: bool, is_ok: bool) {
        if let Some(counters) = &self.0 {
            counters[usize::from(writes)][usize::from(!is_ok)].count();
        }
    }
}
