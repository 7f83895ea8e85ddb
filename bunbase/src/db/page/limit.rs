//! How many rows, and from where.

use std::{fmt, str::FromStr};

use sea_orm::QuerySelect;
use serde::{Deserialize, Deserializer, Serialize, de};

/// How many rows a page may have: 1 to `MAX`, `DEFAULT` when not asked for. `Limit` is 20, at most 100.
///
/// More is refused rather than cut, so that nobody takes a cut list for a whole one.
///
/// ```
/// # use bunbase::db::page::Limit;
/// let limit: Limit = Limit::default();
/// assert_eq!(limit.get(), 20);
/// assert!("101".parse::<Limit>().is_err());
/// assert_eq!("500".parse::<Limit<50, 1000>>().unwrap().get(), 500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Limit<const DEFAULT: u32 = 20, const MAX: u32 = 100>(u32);

impl<const DEFAULT: u32, const MAX: u32> Limit<DEFAULT, MAX> {
    /// The most that may be asked for.
    pub const MAX: u32 = MAX;
    /// What is taken when nothing is asked for.
    pub const DEFAULT: u32 = {
        assert!(DEFAULT >= 1 && DEFAULT <= MAX, "the default of a limit must be between 1 and its most");
        DEFAULT
    };

    /// Returns a limit of `rows`.
    ///
    /// # Errors
    /// When `rows` is not within `1..=MAX`.
    pub fn new(rows: u32) -> Result<Self, LimitError> {
        if (1..=MAX).contains(&rows) { Ok(Self(rows)) } else { Err(LimitError { max: MAX }) }
    }

    /// Returns the number of rows.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<const DEFAULT: u32, const MAX: u32> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(Self::DEFAULT)
    }
}

/// A limit is out of its bounds or not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {max}")]
pub struct LimitError {
    /// The most that may be asked for.
    pub max: u32,
}

impl<const DEFAULT: u32, const MAX: u32> FromStr for Limit<DEFAULT, MAX> {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        Self::new(text.parse().map_err(|_| LimitError { max: MAX })?)
    }
}

impl<const DEFAULT: u32, const MAX: u32> fmt::Display for Limit<DEFAULT, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de, const DEFAULT: u32, const MAX: u32> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u32::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A page by number of rows to skip: for lists that are small, or where a caller must jump.
///
/// It is the input of an action, whose query it describes. The database walks over what is skipped, hence the most that may be; rows
/// that come or go meanwhile are shown twice or not at all: prefer a [`Cursor`](super::Cursor).
///
/// ```
/// # use bunbase::prelude::*;
/// # #[schema]
/// # #[derive(FromQueryResult)]
/// # struct Number { n: i64 }
/// /// Lists numbers: `GET /numbers?limit=10&offset=20`.
/// #[action(get = "/numbers")]
/// async fn list_numbers(ctx: Ctx, input: PageQuery) -> Result<Vec<Number>> {
///     let sql = ctx.sql("SELECT n FROM number ORDER BY n LIMIT $1 OFFSET $2");
///     sql.bind(i64::from(input.limit.get())).bind(i64::from(input.offset)).all().await
/// }
/// ```
#[crate::schema]
#[derive(Copy, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// How many rows; 20 unless said, at most 100.
    pub limit: Limit,
    /// How many rows to skip; 0 unless said, at most 10 000.
    #[default]
    #[validate(range(max = 10_000))]
    pub offset: u32,
}

impl PageQuery {
    /// Adds LIMIT and OFFSET to a query, which should have an order.
    #[must_use]
    pub fn apply<S: QuerySelect>(self, select: S) -> S {
        select.limit(u64::from(self.limit.get())).offset(u64::from(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_is_between_one_and_its_most() {
        assert_eq!(Limit::<20, 100>::new(0), Err(LimitError { max: 100 }));
        assert_eq!(Limit::<20, 100>::new(1).map(Limit::get), Ok(1));
        assert_eq!(Limit::<20, 100>::new(100).map(Limit::get), Ok(100));
        assert!(serde_json::from_str::<Limit>("101").is_err());
        assert!(serde_json::from_str::<Limit>("-1").is_err());
        assert_eq!(serde_json::to_string(&Limit::<5>::default()).unwrap(), "5");
    }

    #[test]
    fn an_empty_page_query_has_its_defaults() {
        let query: PageQuery = serde_json::from_str("{}").unwrap();
        assert_eq!((query.limit.get(), query.offset), (20, 0));
        assert_eq!(query, PageQuery::default());
    }

    proptest! {
        #[test]
        fn what_a_limit_prints_parses_back(rows in 1..=100_u32) {
            let limit: Limit = Limit::new(rows).unwrap();
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }

        #[test]
        fn no_text_makes_a_limit_panic(text in ".{0,20}") {
            let _ = text.parse::<Limit>();
        }
    }
}
