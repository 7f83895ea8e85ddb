//! What a backend must do for keys and values.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use crate::{Result, db::Tx};

/// Where values are kept. Every operation is atomic, also beside those of other instances.
///
/// A `ttl` is how long a value is kept from now; `None` is for good. Operations take what they need by value, so that a future
/// borrows nothing but the store.
pub trait KvStore: fmt::Debug + Send + Sync {
    /// Returns the values of keys, in their order; `None` for those that nobody has.
    fn get(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<String>>>>;

    /// Sets values, whatever was there. Each key is there once.
    fn set(&self, entries: Vec<(String, String)>, ttl: Option<Duration>) -> BoxFuture<'_, Result<()>>;

    /// Sets a value, or deletes it (`new` is `None`), if it is `expected`; `None` is that there is none. Returns whether it was.
    fn swap(
        &self,
        key: String,
        expected: Option<String>,
        new: Option<String>,
        ttl: Option<Duration>,
    ) -> BoxFuture<'_, Result<bool>>;

    /// Adds to a whole number and returns the sum. Where there is none it begins at zero, and expires after `ttl`; otherwise the
    /// expiry stays. `None` is that the value is no whole number of 64 bits, or would not be one.
    fn add(&self, key: String, by: i64, ttl: Option<Duration>) -> BoxFuture<'_, Result<Option<i64>>>;

    /// Deletes keys. Returns how many there were.
    fn delete(&self, keys: Vec<String>) -> BoxFuture<'_, Result<u64>>;

    /// Says how long a key is kept.
    fn ttl(&self, key: String) -> BoxFuture<'_, Result<Ttl>>;

    /// Sets how long a key is kept from now. Returns whether it is there.
    fn expire(&self, key: String, ttl: Option<Duration>) -> BoxFuture<'_, Result<bool>>;

    /// Lists keys that begin with `prefix`, from `cursor` on: what the page before answered. At most `limit`, which Redis may
    /// exceed by what one step of its scan finds.
    ///
    /// A key that is there all the time is listed, at least once; in order, and once, but on Redis.
    fn list(&self, prefix: String, cursor: Option<String>, limit: u32) -> BoxFuture<'_, Result<Keys>>;

    /// Deletes at most `limit` keys that have expired, oldest first. Returns how many.
    fn sweep(&self, limit: u32) -> BoxFuture<'_, Result<u64>>;

    /// Returns this store as a part of a transaction; `None` where it cannot be part of one.
    fn within<'a>(&'a self, tx: &'a Tx) -> Option<Box<dyn KvStore + 'a>> {
        let _ = tx;
        None
    }

    /// Returns whether [`within`](Self::within) answers a store.
    fn joins_transactions(&self) -> bool {
        false
    }
}

/// How long a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// There is no such key.
    Missing,
    /// For good.
    Forever,
    /// For so long from now.
    Left(Duration),
}

/// Some keys of a list, as a backend answers them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<String>,
}

impl Keys {
    /// Makes a page of keys in order, of which one more was asked for than fits.
    pub(super) fn page(mut keys: Vec<String>, limit: u32) -> Self {
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let next = keys.last().filter(|_| more).cloned();
        Self { keys, next }
    }
}

/// What a run puts around its statements.
pub trait Scope: Send + Sync {
    /// Returns the transaction that an operation belongs to. One that writes begins it where the run has one of its own; `joins` says
    /// whether the store can be part of it.
    ///
    /// # Errors
    /// 500 `transaction_open` for a write beside an open transaction.
    fn enter(&self, writes: bool, joins: bool) -> BoxFuture<'_, Result<Option<Arc<dyn Within>>>>;
}

/// Something that holds a transaction open.
pub trait Within: Send + Sync {
    /// Returns it.
    fn tx(&self) -> &Tx;
}

/// Returns the first text behind all that begin with `prefix`, in the order of their bytes; `None` where there is none.
pub(super) fn end_of(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The characters that no text has are between U+D7FF and U+E000.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_begins_with_a_prefix_is_before_its_end(prefix: String, rest: String, other: String) {
            let text = format!("{prefix}{rest}");
            if let Some(end) = end_of(&prefix) {
                prop_assert!(text < end);
                prop_assert!(other.starts_with(&prefix) || other < prefix || other >= end);
            }
        }
    }

    #[test]
    fn the_last_character_has_no_successor() {
        assert_eq!(end_of("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(end_of("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(end_of("\u{10ffff}"), None);
        assert_eq!(end_of(""), None);
    }
}
