//! Pages by sort key: each begins behind the last row of the one before, found through the index.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};
use sea_orm::{
    ColumnTrait, ColumnType, Condition, ConnectionTrait, EntityTrait, IdenStatic, ModelTrait, Order, QueryFilter,
    QueryOrder, QuerySelect, Select, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use serde_json::Value as Json;

use super::{Cursor, CursorError, Limit, Page, PageError};
use crate::schema::FromText;

/// The order of a list, in columns that together are unique and never NULL: the basis of its pages.
///
/// End with the primary key, so that no two rows are equal, and give the database an index on the same columns.
///
/// ```no_run
/// # mod task {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "task")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub created_at: DateTimeUtc }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// # use {bunbase::db::{Db, page::{Cursor, Keyset, Limit, Page, PageError}}, sea_orm::EntityTrait};
/// # async fn example(db: &Db, limit: Limit, cursor: Option<Cursor>) -> Result<Page<task::Model>, PageError> {
/// Keyset::new()
///     .desc(task::Column::CreatedAt)
///     .desc(task::Column::Id)
///     .page(task::Entity::find(), limit, cursor.as_ref(), db)
///     .await
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an order does nothing until a page is asked for"]
pub struct Keyset<E: EntityTrait> {
    columns: Vec<(E::Column, Direction)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl<E: EntityTrait> Default for Keyset<E> {
    fn default() -> Self {
        Self { columns: Vec::new() }
    }
}

impl<E: EntityTrait> Keyset<E> {
    /// Returns an order of no columns; add at least one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sorts by `column` next, smallest first.
    pub fn asc(mut self, column: E::Column) -> Self {
        self.columns.push((column, Direction::Up));
        self
    }

    /// Sorts by `column` next, largest first.
    pub fn desc(mut self, column: E::Column) -> Self {
        self.columns.push((column, Direction::Down));
        self
    }

    /// Runs `select` in this order, behind `cursor`, and returns at most `limit` rows.
    ///
    /// Filter `select` as needed, with the same filter for every page, and do not sort it. One row more is read, to know whether there is a next page.
    ///
    /// # Errors
    /// 404 for a cursor of another list, those of the database, and 500 for an order of no columns or of columns that
    /// are NULL or have a type that a cursor cannot hold (floats, decimals, bytes, JSON, arrays), or for sort keys of more than 3 KB,
    /// which no cursor holds: sort by something shorter than free text without a limit.
    pub async fn page<const DEFAULT: u32, const MAX: u32>(
        &self,
        select: Select<E>,
        limit: Limit<DEFAULT, MAX>,
        cursor: Option<&Cursor>,
        db: &impl ConnectionTrait,
    ) -> Result<Page<E::Model>, PageError> {
        if self.columns.is_empty() {
            return Err(PageError::Order("a keyset needs at least one column".to_owned()));
        }
        let mut select = select;
        if let Some(cursor) = cursor {
            select = select.filter(self.behind(cursor)?);
        }
        for (column, direction) in &self.columns {
            let order = match direction {
                Direction::Up => Order::Asc,
                Direction::Down => Order::Desc,
            };
            select = select.order_by(*column, order);
        }
        let wanted = limit.get() as usize;
        let mut items = select.limit(u64::from(limit.get()) + 1).all(db).await?;
        let more = items.len() > wanted;
        items.truncate(wanted);
        let next_cursor = match items.last() {
            Some(last) if more => Some(self.cursor_of(last)?),
            _ => None,
        };
        Ok(Page { items, next_cursor })
    }

    /// Returns the cursor behind `row`.
    fn cursor_of(&self, row: &E::Model) -> Result<Cursor, PageError> {
        let keys = self.columns.iter().map(|(column, _)| {
            key_of(row.get(*column)).ok_or_else(|| {
                PageError::Order(format!("`{}` is NULL or of a type that a cursor cannot hold", column.as_str()))
            })
        });
        let cursor = Cursor::new(self.sort(), keys.collect::<Result<_, _>>()?);
        // What is made here must be read here: too long, or a year that the strict form does not have, is neither.
        if !cursor.fits() || self.behind(&cursor).is_err() {
            let columns = self.columns.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>().join("`, `");
            return Err(PageError::Order(format!("the sort keys of a row in `{columns}` do not fit a cursor")));
        }
        Ok(cursor)
    }

    /// Returns the condition that a row comes after `cursor`.
    ///
    /// `(a, b) > (x, y)` when all go one way, which both engines answer from the index; otherwise the long form
    /// `a < x OR (a = x AND b > y)`.
    fn behind(&self, cursor: &Cursor) -> Result<Condition, CursorError> {
        if cursor.sort() != self.sort() || cursor.keys().len() != self.columns.len() {
            return Err(CursorError);
        }
        let mut values = Vec::with_capacity(self.columns.len());
        for ((column, _), key) in self.columns.iter().zip(cursor.keys()) {
            values.push(value_of(key, column.def().get_column_type()).ok_or(CursorError)?);
        }
        let name = |column: &E::Column| column.into_expr();
        let (_, first) = self.columns[0];
        if self.columns.iter().all(|(_, direction)| *direction == first) {
            let columns = Expr::tuple(self.columns.iter().map(|(column, _)| name(column)));
            let keys = Expr::tuple(values.into_iter().map(SimpleExpr::from));
            return Ok(Condition::all().add(match first {
                Direction::Up => columns.gt(keys),
                Direction::Down => columns.lt(keys),
            }));
        }
        let mut any = Condition::any();
        for (last, (column, direction)) in self.columns.iter().enumerate() {
            let mut all = Condition::all();
            for ((column, _), value) in self.columns[..last].iter().zip(&values) {
                all = all.add(name(column).eq(value.clone()));
            }
            let value = values[last].clone();
            any = any.add(all.add(match direction {
                Direction::Up => name(column).gt(value),
                Direction::Down => name(column).lt(value),
            }));
        }
        Ok(any)
    }

    /// Returns a number for this order, so that a cursor of another one is told apart: FNV-1a over columns and directions.
    fn sort(&self) -> u32 {
        let mut hash: u32 = 0x811c_9dc5;
        let mut add = |text: &str| {
            for byte in text.bytes().chain([0]) {
                hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
            }
        };
        add(E::default().table_name());
        for (column, direction) in &self.columns {
            add(if *direction == Direction::Up { "+" } else { "-" });
            add(column.as_str());
        }
        hash
    }
}

/// Returns a sort key as JSON; `None` for NULL and for types that do not survive the way there and back.
fn key_of(value: Value) -> Option<Json> {
    Some(match value {
        Value::Bool(value) => value?.into(),
        Value::TinyInt(value) => value?.into(),
        Value::SmallInt(value) => value?.into(),
        Value::Int(value) => value?.into(),
        Value::BigInt(value) => value?.into(),
        Value::TinyUnsigned(value) => value?.into(),
        Value::SmallUnsigned(value) => value?.into(),
        Value::Unsigned(value) => value?.into(),
        Value::BigUnsigned(value) => value?.into(),
        Value::String(value) => Json::String(value?),
        Value::Char(value) => value?.to_string().into(),
        Value::ChronoDate(value) => value?.to_string().into(),
        Value::ChronoTime(value) => value?.to_string().into(),
        Value::ChronoDateTime(value) => value?.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        Value::ChronoDateTimeUtc(value) => value?.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        Value::ChronoDateTimeWithTimeZone(value) => {
            value?.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
        }
        Value::Uuid(value) => value?.to_string().into(),
        _ => return None,
    })
}

/// Returns a key of a cursor as a value of the column's type; `None` when it does not fit.
fn value_of(key: &Json, column: &ColumnType) -> Option<Value> {
    // A caller may have changed the text, so it must have the strict form: a year of six digits would be an error of the database. Its
    // value is read by chrono all the same, because SQLite may hold more than the microseconds that the strict form cuts to.
    let time = || {
        let text = key.as_str().filter(|text| DateTime::<Utc>::from_text(text).is_ok())?;
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
    };
    let time_of_day = || key.as_str().filter(|text| NaiveTime::from_text(text).is_ok())?.parse::<NaiveTime>().ok();
    Some(match column {
        ColumnType::Boolean => key.as_bool()?.into(),
        ColumnType::TinyInteger => i8::try_from(key.as_i64()?).ok()?.into(),
        ColumnType::SmallInteger => i16::try_from(key.as_i64()?).ok()?.into(),
        ColumnType::Integer => i32::try_from(key.as_i64()?).ok()?.into(),
        ColumnType::BigInteger => key.as_i64()?.into(),
        ColumnType::TinyUnsigned => u8::try_from(key.as_u64()?).ok()?.into(),
        ColumnType::SmallUnsigned => u16::try_from(key.as_u64()?).ok()?.into(),
        ColumnType::Unsigned => u32::try_from(key.as_u64()?).ok()?.into(),
        // As a signed number: no engine here stores more, and the driver refuses more by panicking.
        ColumnType::BigUnsigned => i64::try_from(key.as_u64()?).ok()?.into(),
        ColumnType::Char(_) | ColumnType::String(_) | ColumnType::Text => {
            let text = key.as_str()?;
            // Postgres stores no NUL and would answer with an error of its own.
            (!text.contains('\0')).then_some(text)?.into()
        }
        ColumnType::Date => NaiveDate::from_text(key.as_str()?).ok()?.into(),
        ColumnType::Time => time_of_day()?.into(),
        ColumnType::DateTime => NaiveDateTime::into(time()?.naive_utc()),
        ColumnType::Timestamp | ColumnType::TimestampWithTimeZone => time()?.into(),
        ColumnType::Uuid => uuid::Uuid::from_text(key.as_str()?).ok()?.into(),
        _ => return None,
    })
}
