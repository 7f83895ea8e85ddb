//! Pages of a list: by cursor for lists that grow while they are read, by offset for small ones.
//!
//! Here: the types of a request ([`Cursor`], [`Limit`], [`PageQuery`]) and of an answer ([`Page`]), and [`Keyset`],
//! which turns a cursor into SQL. Not here: their JSON Schema (`schema`).

mod cursor;
mod error;
mod keyset;
mod limit;
mod schema;

pub use cursor::{Cursor, CursorError};
pub use error::PageError;
pub use keyset::Keyset;
pub use limit::{Limit, LimitError, PageQuery};

use serde::{Deserialize, Serialize};

/// One page of a list, and where the next one begins.
///
/// ```
/// # use bunbase::db::page::Page;
/// let page = Page { items: vec![1, 2], next_cursor: None };
/// assert_eq!(serde_json::to_string(&page.map(|n| n * 10)).unwrap(), r#"{"items":[10,20],"next_cursor":null}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page, in order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Turns every item into another type: rows into what an action answers.
    #[must_use]
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}
