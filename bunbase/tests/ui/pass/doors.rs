//! The doors of an action besides HTTP, and what is said about its runs.
use std::time::Duration;

use bunbase::{
    action::{Action, Door, Trigger},
    events::Event,
    prelude::*,
    queue::{Priority, backoff::Backoff},
    schedule::{Missed, Overlap},
    webhook::{Delivery, Verify},
};

/// A task was moved.
#[event("task.moved", rename_all = "camelCase")]
pub struct TaskMoved {
    pub task_id: i64,
    pub column: Option<String>,
}

#[event("config.changed")]
#[derive(PartialEq)]
pub enum ConfigChanged {
    Limits,
    Colour(u8),
}

struct Signed(&'static str);

impl Verify for Signed {
    fn verify(&self, _delivery: &Delivery<'_>) -> Result<String> {
        Ok(self.0.to_owned())
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![("X-Signature", "The signature.")]
    }
}

struct Open;

impl Guard for Open {
    type Error = bunbase::Error;

    async fn check(&self, _ctx: &Ctx) -> Result<()> {
        Ok(())
    }
}

#[derive(ActionError, Debug)]
enum Refused {
    #[error(status = 403, code = "not_yours", "this is not yours")]
    NotYours,
}

async fn is_mine(_ctx: &Ctx, input: &MoveTask) -> Result<(), Refused> {
    if input.task_id == Some(0) { Err(Refused::NotYours) } else { Ok(()) }
}

/// Moves a task.
#[action(
    post = "/tasks/{task_id}/move",
    webhook = "/webhooks/{tenant}",
    verify = Signed("one"),
    webhook("/webhooks", verify = Signed("two")),
    event = TaskMoved,
    event("task.created", ordered),
    event("config.changed", broadcast),
    cron("0 2 * * MON-FRI", zone = "Europe/Berlin", missed = all, overlap = allow),
    cron = "30 0 2 * * *",
    every = "90s",
    every("1h", missed = once, overlap = queue),
    tool = "move-task",
    guards = [Open],
    check_input = is_mine,
    retry(attempts = 5, backoff = fixed, base = "1m", jitter = none),
    timeout = "10s",
    idempotent,
    queue = "mail",
    priority = high,
    body_limit = "1KiB"
)]
async fn move_task(
    #[guard] caller: Option<ApiKey>,
    task_id: Option<i64>,
    tenant: Option<String>,
    #[default("here")] to: String,
) -> Result<String> {
    let _ = (caller, task_id, tenant);
    Ok(to)
}

/// A plain function computes.
#[action(tool, retry)]
fn primes(ctx: Ctx, below: u32) -> Result<Vec<u32>, bunbase::Error> {
    let _ = ctx;
    Ok((2..below).filter(|number| (2..*number).all(|divisor| number % divisor != 0)).collect())
}

#[schema]
pub struct Filter {
    pub below: Option<u32>,
}

fn is_small(_ctx: &Ctx, filter: &Filter) -> Result<()> {
    match filter.below {
        Some(below) if below > 100 => Err(bunbase::Error::conflict("too many")),
        _ => Ok(()),
    }
}

#[action(cpu, every = "1d", check_input = is_small, retry(max = "5m"))]
async fn count(input: Filter) -> Result<u32> {
    Ok(input.below.unwrap_or(1))
}

#[action(
    event = ConfigChanged,
    check_input = |_: &Ctx, input: &Filter| input.below.is_none().then_some(()).ok_or(Refused::NotYours)
)]
async fn reload(input: Filter) -> Result<()> {
    let _ = input;
    Ok(())
}

/// A file is for requests, and so is a stream: no door is asked to carry them.
#[action(post = "/photos")]
async fn save(#[file] photo: Upload) -> Result<ByteStream> {
    let _ = photo;
    Err(bunbase::Error::bad_request("nothing"))
}

fn main() {
    assert_eq!((TaskMoved::NAME, ConfigChanged::NAME), ("task.moved", "config.changed"));
    let _ = (ConfigChanged::Limits, ConfigChanged::Colour(1) == ConfigChanged::Limits, Door::Cron);

    let meta = MoveTask::META;
    assert_eq!(meta.triggers.len(), 11);
    let signed = meta.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Webhook { path, verify } => Some((*path, verify().headers().len())),
        _ => None,
    });
    assert_eq!(signed.collect::<Vec<_>>(), [("/webhooks/{tenant}", 1), ("/webhooks", 1)]);
    let events = meta.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Event { name, ordered, broadcast } => Some((*name, *ordered, *broadcast)),
        _ => None,
    });
    assert_eq!(
        events.collect::<Vec<_>>(),
        [("task.moved", false, false), ("task.created", true, false), ("config.changed", false, true)]
    );
    let schedules = meta.triggers.iter().filter_map(|trigger| match trigger {
        Trigger::Schedule { rule, zone, missed, overlap } => Some((*rule, *zone, *missed, *overlap)),
        _ => None,
    });
    assert_eq!(
        schedules.collect::<Vec<_>>(),
        [
            ("0 2 * * MON-FRI", "Europe/Berlin", Missed::All, Overlap::Allow),
            ("30 0 2 * * *", "", Missed::Skip, Overlap::Skip),
            ("every 90s", "", Missed::Skip, Overlap::Skip),
            ("every 1h", "", Missed::Once, Overlap::Queue),
        ]
    );
    assert!(matches!(meta.triggers[10], Trigger::Tool { name: Some("move-task") }));
    let retry = meta.retry.unwrap();
    assert_eq!((retry.attempts, retry.backoff, retry.jitter), (5, Backoff::Fixed, false));
    assert_eq!((retry.base, retry.max), (Duration::from_secs(60), Duration::from_secs(60)));
    assert_eq!((meta.idempotent, meta.cpu, meta.queue, meta.priority), (true, false, "mail", Priority::High));
    assert_eq!(MoveTask::CHECK_ERRORS.variants[0].code, "not_yours");
    assert!(MoveTask::new().copy().is_some());
    assert_eq!(MoveTask::guards().len(), 1);

    let meta = Primes::META;
    assert!(meta.cpu && meta.retry.is_some_and(|retry| retry == bunbase::action::RetryPolicy::DEFAULT));
    assert!(matches!(meta.triggers, [Trigger::Tool { name: None }]));
    assert!(Count::META.cpu && Count::CHECK_ERRORS.open && Primes::CHECK_ERRORS.variants.is_empty());
    assert_eq!(Reload::CHECK_ERRORS.variants.len(), 1);
    assert!(Reload(Filter { below: None }).copy().is_none() && Save::META.triggers.len() == 1);
}
