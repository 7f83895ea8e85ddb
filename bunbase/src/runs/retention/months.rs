//! The parts of the tables on Postgres: one for each month.
//!
//! A part is made beside the table and attached then, because that takes a lock which lets others read and write the table; only the
//! small part of what belongs to no month is locked meanwhile. Source: Postgres documentation, section 5.12.2.2, "Partition Maintenance".

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, Utc};

use super::TABLES;
use crate::{
    Result,
    db::{Db, Tx},
};

/// How many months are there ahead of time, beside the current one.
const AHEAD: u32 = 2;

/// The advisory lock's number, the ASCII of `bunruns!`: one instance at a time, and the others have nothing left to do.
const LOCK: i64 = i64::from_be_bytes(*b"bunruns!");

/// The parts of a table that are for months.
const PARTS: &str = "SELECT child.relname::text FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = to_regclass($1) AND child.relname ~ ('^' || $1 || '_[0-9]{4}_[0-9]{2}$') ORDER BY child.relname";

pub(super) async fn tidy(db: &Db, now: DateTime<Utc>, oldest: Option<DateTime<Utc>>) -> Result<()> {
    for (table, column) in TABLES {
        let parts: Vec<(String,)> = db.sql(PARTS).bind(table).columns().await?;
        let has = |name: &str| parts.iter().any(|(part,)| part == name);
        let first = month_of(now);
        let months = (0..=AHEAD).filter_map(|ahead| first.checked_add_months(Months::new(ahead)));
        for month in months.filter(|month| !has(&name(table, *month))) {
            locked(db, async |tx| add(tx, table, column, month).await).await?;
        }
        let Some(oldest) = oldest else { continue };
        for (part,) in &parts {
            // A month is over when the next one begins.
            let end = month_in(table, part).and_then(|month| month.checked_add_months(Months::new(1)));
            if end.is_some_and(|end| start(end) <= oldest) {
                // `IF EXISTS`: another instance may have been quicker.
                let drop = format!("DROP TABLE IF EXISTS {part}");
                locked(db, async |tx| tx.sql(&drop).execute().await.map(|_| ())).await?;
                tracing::info!(part, "a month of run records was dropped: it was older than `persistence.retention`");
            }
        }
    }
    Ok(())
}

/// Runs a change of the tables while no other instance does, and without making others wait for long: whoever reads or writes the table
/// waits behind it as long as it waits itself.
async fn locked(db: &Db, change: impl AsyncFnOnce(&Tx) -> Result<()>) -> Result<()> {
    db.transaction(async |tx| {
        tx.sql("SET LOCAL lock_timeout = '2s'").execute().await?;
        tx.sql("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute().await?;
        change(tx).await
    })
    .await
}

/// Makes a month's part, and moves there what came before it was there.
async fn add(tx: &Tx, table: &str, column: &str, month: NaiveDate) -> Result<()> {
    let part = name(table, month);
    if tx.sql("SELECT to_regclass($1) IS NOT NULL").bind(part.as_str()).scalar::<bool>().await? {
        return Ok(());
    }
    let (from, to) = (start(month), start(month.checked_add_months(Months::new(1)).unwrap_or(month)));
    let range = format!("{column} >= '{}' AND {column} < '{}'", from.to_rfc3339(), to.to_rfc3339());
    for sql in [
        format!("CREATE TABLE {part} (LIKE {table} INCLUDING ALL)"),
        format!(
            "WITH early AS (DELETE FROM {table}_default WHERE {range} RETURNING *) INSERT INTO {part} SELECT * FROM early"
        ),
        // So that attaching need not look at the rows.
        format!("ALTER TABLE {part} ADD CONSTRAINT month CHECK ({range})"),
        format!(
            "ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ('{}') TO ('{}')",
            from.to_rfc3339(),
            to.to_rfc3339()
        ),
        format!("ALTER TABLE {part} DROP CONSTRAINT month"),
    ] {
        tx.sql(&sql).execute().await?;
    }
    Ok(())
}

fn month_of(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive().with_day(1).unwrap_or_default()
}

fn start(month: NaiveDate) -> DateTime<Utc> {
    month.and_time(NaiveTime::MIN).and_utc()
}

fn name(table: &str, month: NaiveDate) -> String {
    format!("{table}_{:04}_{:02}", month.year(), month.month())
}

fn month_in(table: &str, part: &str) -> Option<NaiveDate> {
    let (year, month) = part.strip_prefix(table)?.strip_prefix('_')?.split_once('_')?;
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_after_its_month() {
        let december = month_of("2026-12-31T23:59:59Z".parse().unwrap());
        assert_eq!(name("action_runs", december), "action_runs_2026_12");
        assert_eq!(month_in("action_runs", "action_runs_2026_12"), Some(december));
        assert_eq!(month_in("action_runs", "action_runs_default"), None);
        assert_eq!(
            start(december.checked_add_months(Months::new(1)).unwrap()).to_rfc3339(),
            "2027-01-01T00:00:00+00:00"
        );
    }
}
