//! Actions that nobody calls, as many as `BUNBASE_BENCH_MANY` said when this was built; none otherwise.

include!(concat!(env!("OUT_DIR"), "/many.rs"));

/// How many there are; the twin has as many routes.
pub(crate) const COUNT: &str = env!("BUNBASE_BENCH_MANY");
