//! One queue of a worker: claims its jobs and starts them.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    super::{Claim, Claimed, Claims, Outcome, backoff, measure::Measures},
    Shared,
    pace::Pace,
    run::{self, Ending},
};
use crate::{Result, db::notify::Subscription};

/// How many batches are claimed ahead at most.
const MOST_BATCHES: usize = 4;

/// How long a claimed job waits for a free slot before it goes back, for others who have one.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// How long full groups are left alone while other jobs are there to be run.
const GROUPS_SPACING: Duration = Duration::from_millis(10);

/// The first and the longest wait after a claim that failed.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// See the module.
pub(super) struct Lane {
    shared: Arc<Shared>,
    queue: Arc<str>,
    measures: Measures,
    concurrency: usize,
    endings: mpsc::UnboundedSender<Ending>,
    first_look: Option<watch::Sender<usize>>,
    wake: Subscription,
    /// How many endings are not written. Too many, and nothing is claimed: the database is slower than the jobs.
    unwritten: watch::Receiver<usize>,
    /// Claimed and not begun, with when they were claimed.
    waiting: VecDeque<(Claimed, Instant)>,
    running: JoinSet<Duration>,
    claiming: JoinSet<Claiming>,
    /// How many jobs the claims under way may bring.
    asked: usize,
    /// How many claims may be under way: more, the longer each brings all that it asked for.
    eagerness: usize,
    pace: Pace,
    /// Nothing is due: look again at this time, or when woken.
    quiet_until: Option<DateTime<Utc>>,
    /// How many claims failed in a row; while some did, wake-ups are not listened to.
    failures: u32,
    groups: Groups,
    /// With full groups: look at them again at this time.
    groups_at: Instant,
    /// Whether it was woken after the last claim for them had begun: that may have been for a place in a group which the claim found
    /// full.
    groups_woken: bool,
    /// Whether the last claim was for jobs of groups, so that the others have the next slot.
    had_groups: bool,
    /// Whether it was woken after the last claim had begun.
    is_behind: bool,
}

/// What is known of the jobs of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Groups {
    /// None is due.
    Empty,
    /// Some are due.
    Due,
    /// A claim for them is under way.
    Asked,
    /// Some are due and their groups are full.
    Full,
}

/// A claim that came back.
struct Claiming {
    limit: usize,
    is_grouped: bool,
    answer: Result<Claims>,
}

impl Lane {
    pub(super) fn new(
        shared: Arc<Shared>,
        queue: &str,
        concurrency: usize,
        endings: mpsc::UnboundedSender<Ending>,
        first_look: watch::Sender<usize>,
    ) -> Self {
        let wake = shared.wake.on_jobs(queue);
        let unwritten = shared.hand.unwritten();
        Self {
            measures: Measures::new(&shared.settings.metrics, queue),
            shared,
            queue: queue.into(),
            concurrency: concurrency.max(1),
            endings,
            first_look: Some(first_look),
            wake,
            unwritten,
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            claiming: JoinSet::new(),
            asked: 0,
            eagerness: 1,
            pace: Pace::default(),
            quiet_until: None,
            failures: 0,
            groups: Groups::Empty,
            groups_at: Instant::now(),
            groups_woken: false,
            had_groups: false,
            is_behind: false,
        }
    }

    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let stopping = shared.stopping.cancelled();
        tokio::pin!(stopping);
        loop {
            self.begin();
            self.ask();
            let quiet_until = self.quiet_until;
            let groups_at = (self.groups == Groups::Full).then_some(self.groups_at);
            let is_held_up = self.is_held_up();
            let stalls_at = self.waiting.front().map(|(_, since)| *since + LONGEST_WAIT);
            tokio::select! {
                () = &mut stopping => break,
                Some(ended) = self.running.join_next() => self.ended(&ended),
                Some(claimed) = self.claiming.join_next() => {
                    if let Ok(claiming) = claimed {
                        self.claimed(claiming);
                    }
                }
                () = self.wake.notified(), if (quiet_until.is_some() || groups_at.is_some()) && self.failures == 0 => {
                    self.woken();
                }
                () = shared.clock.sleep_until(quiet_until.unwrap_or_default()), if quiet_until.is_some() => self.look_again(),
                _ = self.unwritten.changed(), if is_held_up => {}
                () = until(groups_at), if groups_at.is_some() => self.groups = Groups::Due,
                () = until(stalls_at), if stalls_at.is_some() => {
                    self.pace.stalled(LONGEST_WAIT);
                    self.hand_back();
                }
            }
        }
        self.wind_down().await;
    }

    /// Starts what waits while there are free slots.
    fn begin(&mut self) {
        while self.running.len() < self.concurrency {
            let Some((job, _)) = self.waiting.pop_front() else { return };
            // What was lost while it waited is left out.
            let Some(signals) = self.shared.hand.begin(job.lease()) else { continue };
            let measures = self.measures.clone();
            measures.waited((self.shared.clock.now() - job.run_at).to_std().unwrap_or_default());
            let (attempt, last) = (job.attempt, job.max_attempts);
            let run = run::run(Arc::clone(&self.shared), Arc::clone(&self.queue), job, signals, self.endings.clone());
            self.running.spawn(async move {
                let began = Instant::now();
                let end = run.await;
                let took = began.elapsed();
                if let Some(outcome) = end {
                    measures.ran(took, &outcome, attempt >= last);
                }
                took
            });
        }
    }

    /// Claims what can soon begin.
    fn ask(&mut self) {
        if self.failures > 0 && self.quiet_until.is_some() {
            return;
        }
        if self.is_held_up() {
            return;
        }
        let most = MOST_BATCHES * self.shared.settings.batch.saturating_sub(1);
        let hold = self.concurrency + self.pace.ahead(self.concurrency, most);
        loop {
            let have = self.running.len() + self.waiting.len() + self.asked;
            let wanted = hold.saturating_sub(have).min(self.shared.settings.batch.max(1));
            // A slot is about to be idle, or it is worth a statement.
            if wanted == 0 || (have >= self.concurrency && have * 2 > hold) {
                return;
            }
            let is_quiet = self.quiet_until.is_some();
            let others = self.claiming.len().saturating_sub(usize::from(self.groups == Groups::Asked));
            if self.groups == Groups::Due && (is_quiet || wanted > 1 || !self.had_groups) {
                self.groups = Groups::Asked;
                // Half, so that neither kind keeps the other from running.
                self.claim(if is_quiet { wanted } else { wanted.div_ceil(2) }, true);
            } else if !is_quiet && others < self.eagerness {
                self.claim(wanted, false);
            } else {
                return;
            }
        }
    }

    fn is_held_up(&self) -> bool {
        *self.unwritten.borrow() > self.concurrency + MOST_BATCHES * self.shared.settings.batch
    }

    fn claim(&mut self, limit: usize, is_grouped: bool) {
        if is_grouped {
            self.groups_woken = false;
        } else {
            // This claim sees what it was woken for, unless that is a place in a group.
            if self.wake.is_notified() {
                self.groups_woken = true;
                self.groups_at = self.groups_at.min(Instant::now() + GROUPS_SPACING);
            }
            // Before it looks, so that what comes meanwhile is not missed.
            self.wake.mark_seen();
            self.is_behind = false;
        }
        self.had_groups = is_grouped;
        self.asked += limit;
        let shared = Arc::clone(&self.shared);
        let claim = Claim {
            queue: self.queue.as_ref().to_owned(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            lease: shared.settings.lease,
            worker: shared.settings.name.clone(),
            grouped: is_grouped,
        };
        self.claiming.spawn(async move {
            // Taken before the statement: the lease does not begin earlier.
            let now = shared.clock.now();
            let answer = shared.store.claim(&claim).await;
            if let Ok(claims) = &answer {
                shared.hand.take(&claims.jobs, now);
            }
            Claiming { limit, is_grouped, answer }
        });
    }

    fn claimed(&mut self, Claiming { limit, is_grouped, answer }: Claiming) {
        self.asked -= limit;
        if let Some(first_look) = self.first_look.take() {
            first_look.send_modify(|lanes| *lanes += 1);
        }
        match answer {
            Ok(claims) => {
                self.failures = 0;
                let is_short = claims.jobs.len() < limit;
                let claimed_at = Instant::now();
                self.waiting.extend(claims.jobs.into_iter().map(|job| (job, claimed_at)));
                if is_grouped {
                    self.groups = if is_short { Groups::Full } else { Groups::Due };
                    let wait = if self.groups_woken { GROUPS_SPACING } else { self.shared.settings.poll_interval };
                    self.groups_at = Instant::now() + wait;
                    return;
                }
                self.groups = match self.groups {
                    Groups::Asked => Groups::Asked,
                    Groups::Full if claims.groups_due => Groups::Full,
                    _ if claims.groups_due => Groups::Due,
                    _ => Groups::Empty,
                };
                self.eagerness =
                    if is_short { 1 } else { self.shared.statements(self.concurrency).min(self.eagerness * 2) };
                if is_short && !self.is_behind {
                    let poll = self.shared.settings.poll_interval;
                    self.be_quiet(claims.next_due.map_or(poll, |due| due.min(poll)));
                }
            }
            Err(error) => {
                if is_grouped {
                    self.groups = Groups::Due;
                }
                self.failures += 1;
                self.eagerness = 1;
                let longest = backoff::ceiling(backoff::Backoff::Exponential, AGAIN.0, AGAIN.1, self.failures);
                let wait = backoff::full_jitter(longest).max(AGAIN.0 / 2);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    queue = &*self.queue,
                    ?wait,
                    "no jobs could be claimed; trying again"
                );
                self.be_quiet(wait);
            }
        }
    }

    fn be_quiet(&mut self, wait: Duration) {
        let until = TimeDelta::from_std(wait).ok().and_then(|wait| self.shared.clock.now().checked_add_signed(wait));
        self.quiet_until = Some(until.unwrap_or(DateTime::<Utc>::MAX_UTC));
    }

    fn woken(&mut self) {
        self.groups_woken = true;
        if self.quiet_until.is_some() {
            self.look_again();
        } else {
            // Busy with other jobs, which wake it all the time.
            self.is_behind = true;
            self.groups_at = self.groups_at.min(Instant::now() + GROUPS_SPACING);
        }
    }

    fn look_again(&mut self) {
        self.quiet_until = None;
        if self.groups == Groups::Full {
            self.groups = Groups::Due;
        }
    }

    fn ended(&mut self, ended: &Result<Duration, tokio::task::JoinError>) {
        // A run does not panic and is not aborted.
        if let Ok(time) = ended {
            self.pace.took(*time);
        }
        while let Some(ended) = self.running.try_join_next() {
            if let Ok(time) = ended {
                self.pace.took(time);
            }
        }
    }

    /// Gives back what has not begun.
    fn hand_back(&mut self) {
        for (job, _) in std::mem::take(&mut self.waiting) {
            let (lease, is_grouped) = (job.lease(), job.group.is_some());
            if self.shared.hand.end(lease).is_some() {
                let queue = Arc::clone(&self.queue);
                let _ = self.endings.send(Ending { lease, queue, is_grouped, outcome: Outcome::Released });
            }
        }
    }

    /// Lets what runs end until the deadline, and then tells it to stop; its endings give it back.
    async fn wind_down(mut self) {
        let shared = Arc::clone(&self.shared);
        self.hand_back();
        let deadline = shared.clock.sleep(shared.settings.shutdown_timeout);
        let last_claim = shared.clock.sleep(shared.settings.shutdown_timeout + run::GRACE);
        tokio::pin!(deadline, last_claim);
        while !(self.running.is_empty() && self.claiming.is_empty()) {
            tokio::select! {
                _ = self.running.join_next(), if !self.running.is_empty() => {}
                claimed = self.claiming.join_next(), if !self.claiming.is_empty() => {
                    if let Some(Ok(claiming)) = claimed {
                        self.claimed(claiming);
                        self.hand_back();
                    }
                }
                () = &mut deadline, if !shared.cut_off.is_cancelled() => {
                    shared.cut_off.cancel();
                    shared.hand.cancel_all();
                }
                () = &mut last_claim, if !self.claiming.is_empty() => self.claiming.shutdown().await,
            }
        }
    }
}

/// Waits until a time; at once when there is none, for branches that are switched off.
async fn until(time: Option<Instant>) {
    if let Some(time) = time {
        tokio::time::sleep_until(time.into()).await;
    }
}
