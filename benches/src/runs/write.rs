//! From the buffer into a database.

use std::time::{Duration, Instant};

use bunbase::{
    db::{Db, migrate::Plan},
    runs::{Limits, Recorder, Settings, Writer},
};

use super::{Size, buffer::record};
use crate::{
    Result, per_second,
    report::{Goal, Report},
};

/// Has so many records written, which come as fast as the buffer has room for them.
pub(super) async fn rows(backend: &str, url: &str, size: Size, report: &mut Report) -> Result<()> {
    let db = Db::open(&bunbase::db::Settings::new(url)).await?;
    Plan::new().up(&db).await?;
    let limits = Limits::default();
    let recorder = Recorder::new(limits);
    let settings = Settings { flush_interval: Duration::from_secs(2) };
    let mut writer = Writer::start(recorder.clone(), db.clone(), settings);
    let began = Instant::now();
    let mut most = 0;
    for number in 0..size.written {
        while recorder.bytes() > limits.most_bytes / 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        recorder.record(record(number));
        if number % 100 == 0 {
            most = most.max(recorder.bytes());
            tokio::task::yield_now().await;
        }
    }
    writer.stop().await;
    let rate = per_second(size.written, began.elapsed());
    let counts = recorder.counts();
    let there: i64 = db.sql("SELECT count(*) FROM action_runs").scalar().await?;
    if usize::try_from(there)? != size.written {
        return Err(format!("{there} rows of {} are there: {counts:?}", size.written).into());
    }
    let what = format!("rows written, {} of them, none lost", size.written);
    match backend {
        "postgres" => report.target(backend, &what, (rate, "/s"), Goal::AtLeast(50_000.0))?,
        _ => report.add(backend, &what, rate, "/s")?,
    }
    db.close().await;
    Ok(())
}
