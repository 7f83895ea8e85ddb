//! Schedules that are made while the application runs: `ctx.schedule("report:7", Report::new(7)).cron("0 6 * * MON")`.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;

use super::Calls;
use crate::{
    Error, Result,
    action::{Action, rules},
    context::{Ctx, Tx},
    schedule::{Missed, NewSchedule, Overlap, Rule, Schedules},
};

/// A schedule that is stored when it is awaited.
///
/// ```no_run
/// # use bunbase::prelude::*;
/// # #[action]
/// # async fn remind(user: i64) -> Result<()> { Ok(()) }
/// # async fn example(ctx: Ctx) -> Result<()> {
/// ctx.schedule("remind:7", Remind::new(7)).cron("0 9 * * MON-FRI").zone("Europe/Berlin").await?;
/// ctx.schedules().pause("remind:7").await
/// # }
/// ```
#[must_use = "a schedule is stored by `.await`"]
pub struct Schedule<'a> {
    ctx: &'a Ctx,
    tx: Option<&'a Tx>,
    new: Result<NewSchedule>,
    has_rule: bool,
    replaces: bool,
}

impl Ctx {
    /// Stores a schedule of an action, under a name of its own; its message is the input of each run. Runs are caused by whoever stores it.
    ///
    /// # Errors
    /// 409 `schedule_name_taken` when there is one of that name, unless it [replaces](Schedule::replace) it; 422 when a rule or a zone is
    /// none; 500 `transaction_open` while a transaction of this run is open: there it is `tx.schedule(…)`.
    #[expect(clippy::needless_pass_by_value, reason = "the message is the call, as in `ctx.call`")]
    pub fn schedule<A: Action>(&self, name: impl Into<String>, message: A) -> Schedule<'_> {
        let new = new_schedule(self, name.into(), &message);
        Schedule { ctx: self, tx: None, new, has_rule: false, replaces: false }
    }

    /// Returns the schedules, to look at them, and to pause, resume and delete them.
    pub fn schedules(&self) -> &Schedules {
        &self.inner().services().schedules
    }
}

impl Tx {
    /// Stores a schedule as part of this transaction; see [`Ctx::schedule`].
    ///
    /// # Errors
    /// As there.
    pub fn schedule<A: Action>(&self, name: impl Into<String>, message: A) -> Schedule<'_> {
        Schedule { tx: Some(self), ..self.ctx().schedule(name, message) }
    }
}

fn new_schedule<A: Action>(ctx: &Ctx, name: String, message: &A) -> Result<NewSchedule> {
    const { rules::job::<A>() };
    let services = ctx.inner().services();
    let runner = Calls::of(services)?.runner::<A>()?;
    // It only holds the place of the one that is said.
    let some = Rule::every(Duration::from_hours(1)).map_err(not_a_rule)?;
    Ok(NewSchedule {
        input: services.seal(runner.name, &runner.sensitive, message)?,
        identity: ctx.caused()?,
        zone: zone(&services.config.schedule.zone)?,
        missed: Missed::Skip,
        ..NewSchedule::new(name, runner.name, some)
    })
}

fn zone(text: &str) -> Result<crate::schedule::Zone> {
    text.parse().map_err(|error| Error::new(422, "schedule_zone", format!("{error}")))
}

impl Schedule<'_> {
    fn with(mut self, change: impl FnOnce(&mut NewSchedule) -> Result<()>) -> Self {
        if let Ok(schedule) = &mut self.new
            && let Err(error) = change(schedule)
        {
            self.new = Err(error);
        }
        self
    }

    fn rule(mut self, rule: Result<Rule>) -> Self {
        self.has_rule = true;
        self.with(|schedule| {
            schedule.rule = rule?;
            Ok(())
        })
    }

    /// Has it come by a rule of cron, with five or six fields.
    pub fn cron(self, rule: &str) -> Self {
        self.rule(Rule::cron(rule).map_err(not_a_rule))
    }

    /// Has it come in even steps of time, counted from the epoch.
    pub fn every(self, interval: Duration) -> Self {
        self.rule(Rule::every(interval).map_err(not_a_rule))
    }

    /// Has it come once, also when nobody was there at the time.
    pub fn at(self, time: DateTime<Utc>) -> Self {
        self.rule(Rule::once(time).map_err(not_a_rule)).missed(Missed::Once)
    }

    /// Says whose clocks a rule of cron means, by the IANA name; `schedule.zone` unless said.
    pub fn zone(self, name: &str) -> Self {
        let zone = zone(name);
        self.with(|schedule| {
            schedule.zone = zone?;
            Ok(())
        })
    }

    /// Says what happens to ticks that nobody took.
    pub fn missed(self, missed: Missed) -> Self {
        self.with(|schedule| {
            schedule.missed = missed;
            Ok(())
        })
    }

    /// Says what happens when a tick comes while an earlier one still runs.
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.with(|schedule| {
            schedule.overlap = overlap;
            Ok(())
        })
    }

    /// Takes the place of the schedule of that name that was made at run time, if there is one.
    pub fn replace(mut self) -> Self {
        self.replaces = true;
        self
    }
}

fn not_a_rule(error: impl fmt::Display) -> Error {
    Error::new(422, "schedule_rule", error.to_string())
}

impl<'a> IntoFuture for Schedule<'a> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'a, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let schedule = self.new?;
            if !self.has_rule {
                return Err(not_a_rule("the schedule has no rule: say `.cron(…)`, `.every(…)` or `.at(…)`"));
            }
            let inner = self.ctx.inner();
            let schedules = &inner.services().schedules;
            let shared = if let Some(tx) = self.tx {
                Some(tx.shared().clone())
            } else {
                inner.db().refuse_beside_transaction("schedule through `tx.schedule(…)`, not through `ctx`")?;
                inner.db().joined(true).await?
            };
            let Some(shared) = shared else {
                return if self.replaces {
                    schedules.replace(&schedule).await
                } else {
                    schedules.create(&schedule).await
                };
            };
            if self.replaces {
                schedules.replace_in(shared.tx(), &schedule).await?;
            } else {
                schedules.create_in(shared.tx(), &schedule).await?;
            }
            let schedules = schedules.clone();
            shared.after_commit(move || schedules.wake());
            Ok(())
        })
    }
}

impl fmt::Debug for Schedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.new.as_ref().map(|schedule| schedule.name.as_str());
        f.debug_struct("Schedule").field("name", &name).finish_non_exhaustive()
    }
}
