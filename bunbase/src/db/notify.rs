//! Wake-ups by topic: within the process at once, and on Postgres across all processes of a database.
//!
//! A wake-up says "look again", never what there is to see, so that one which is lost costs time and nothing else: whoever waits for
//! one looks by itself now and then. `NOTIFY` takes a lock at commit that lets notifying transactions through one at a time, so it is
//! never part of the statement that made the news. The process sends it afterwards, for many of them together.

use std::{
    collections::{BTreeSet, HashMap},
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Db, DbBackend, Settings, listener};
use crate::{Result, clock::Clock};

/// The channel of all topics. Channels belong to one database, so that applications in different ones do not hear each other.
pub(super) const CHANNEL: &str = "bunbase";

/// The least time between two notifications of one process; what comes in between goes together.
const SPACING: Duration = Duration::from_millis(5);

/// How long to wait after a notification that could not be sent.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The longest topic that a notification can carry; a longer one wakes everybody. Postgres takes 8000 bytes.
const LONGEST_TOPIC_BYTES: usize = 7000;

const NOTIFY: &str = "SELECT pg_notify($1, $2 || topic) FROM unnest($3::text[]) AS topic ORDER BY topic";

/// Wakes those who subscribe to a topic; cheap to clone.
///
/// ```
/// # use bunbase::db::notify::Notifier;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let notifier = Notifier::local();
/// let mut subscription = notifier.subscribe("queue/mail");
/// notifier.notify("queue/mail");
/// subscription.notified().await;
/// # }
/// ```
#[derive(Clone)]
pub struct Notifier {
    topics: Arc<Topics>,
    others: Option<Arc<Others>>,
}

/// Who waits in this process. Each topic counts its wake-ups.
#[derive(Default)]
pub(super) struct Topics(RwLock<HashMap<String, watch::Sender<u64>>>);

/// The way to the other processes. The tasks behind it end with it.
struct Others {
    news: Arc<News>,
    listening: watch::Receiver<bool>,
    _stop: DropGuard,
}

/// What the other processes are to be told.
#[derive(Default)]
struct News {
    pending: Mutex<BTreeSet<String>>,
    ready: Notify,
}

impl Notifier {
    /// Wakes within this process only.
    pub fn local() -> Self {
        Self { topics: Arc::default(), others: None }
    }

    /// Wakes across processes where the database can, which is Postgres, and within this process otherwise.
    ///
    /// `listen` is where this process hears the others: the settings of `db`, or those of a direct connection where `db` goes through a
    /// proxy that pools transactions. `None` hears nothing, and still tells. Runs in the background until the last clone is dropped,
    /// and connects again by itself.
    pub fn start(db: Db, clock: Clock, listen: Option<Settings>) -> Self {
        let topics = Arc::<Topics>::default();
        if db.backend() != DbBackend::Postgres {
            return Self { topics, others: None };
        }
        let stop = CancellationToken::new();
        let (heard, listening) = watch::channel(false);
        // Tells its own notifications from those of others.
        let sender = uuid::Uuid::new_v4().simple().to_string();
        let news = Arc::<News>::default();
        let telling = tell(Arc::clone(&news), db, clock.clone(), format!("{sender}:"));
        tokio::spawn(stop.clone().run_until_cancelled_owned(telling));
        if let Some(settings) = listen {
            let hearing = listener::hear(settings, clock, sender, Arc::clone(&topics), heard);
            tokio::spawn(stop.clone().run_until_cancelled_owned(hearing));
        }
        let others = Others { news, listening, _stop: stop.drop_guard() };
        Self { topics, others: Some(Arc::new(others)) }
    }

    /// Wakes everybody who subscribes to this topic: here at once, in other processes soon. Call it after the commit.
    pub fn notify(&self, topic: &str) {
        self.topics.wake(topic);
        let Some(others) = &self.others else { return };
        let topic = if topic.len() > LONGEST_TOPIC_BYTES { "" } else { topic };
        let is_new = {
            let mut pending = others.news.pending();
            !pending.contains(topic) && pending.insert(topic.to_owned())
        };
        if is_new {
            others.news.ready.notify_one();
        }
    }

    /// Wakes those who subscribe to this topic in this process.
    pub fn notify_here(&self, topic: &str) {
        self.topics.wake(topic);
    }

    /// Subscribes to a topic. What is notified from now on is seen.
    pub fn subscribe(&self, topic: &str) -> Subscription {
        self.topics.subscribe(topic)
    }

    /// Waits until this process hears the others; at once where it does not listen.
    pub async fn started(&self) {
        if let Some(others) = &self.others {
            // An error means that nothing listens.
            let _ = others.listening.clone().wait_for(|is_listening| *is_listening).await;
        }
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("crosses_processes", &self.others.is_some()).finish_non_exhaustive()
    }
}

impl News {
    fn pending(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Topics {
    fn subscribe(&self, topic: &str) -> Subscription {
        let mut topics = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Subscription(topics.entry(topic.to_owned()).or_default().subscribe())
    }

    pub(super) fn wake(&self, topic: &str) {
        if let Some(waiting) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(topic) {
            waiting.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    pub(super) fn wake_all(&self) {
        for waiting in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            waiting.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

/// Sees the wake-ups of one topic; several between two looks are one.
#[derive(Debug)]
pub struct Subscription(watch::Receiver<u64>);

impl Subscription {
    /// Takes what was notified until now as seen. Call it before looking, so that what is notified meanwhile is not missed.
    pub fn mark_seen(&mut self) {
        self.0.mark_unchanged();
    }

    /// Returns whether there was a wake-up that was not seen.
    pub fn is_notified(&self) -> bool {
        self.0.has_changed().unwrap_or(false)
    }

    /// Waits for a wake-up that was not seen, and takes it as seen. Never returns once the notifier is gone.
    pub async fn notified(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Sends what is pending, for ever.
async fn tell(news: Arc<News>, db: Db, clock: Clock, sender: String) {
    loop {
        news.ready.notified().await;
        let topics: Vec<_> = mem::take(&mut *news.pending()).into_iter().collect();
        if topics.is_empty() {
            continue;
        }
        if let Err(error) = send(&db, &sender, topics.clone()).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the other processes are not woken; trying again"
            );
            news.pending().extend(topics);
            news.ready.notify_one();
            clock.sleep(AFTER_FAILURE).await;
        } else {
            clock.sleep(SPACING).await;
        }
    }
}

async fn send(db: &Db, sender: &str, topics: Vec<String>) -> Result<()> {
    db.sql(NOTIFY).bind(CHANNEL).bind(sender).bind(topics).execute().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{super::testing::TestDatabase, *};

    #[tokio::test]
    async fn a_wake_up_is_seen_by_all_who_subscribe_and_by_nobody_else() {
        let notifier = Notifier::local();
        let (mut one, mut two, mut other) = (notifier.subscribe("a"), notifier.subscribe("a"), notifier.subscribe("b"));
        notifier.notify("a");
        notifier.notify("a");
        one.notified().await;
        two.notified().await;
        assert!(one.notified().now_or_never().is_none(), "two that came together are one");
        assert!(other.notified().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_wake_up_after_the_mark_is_not_missed() {
        let notifier = Notifier::local();
        let mut subscription = notifier.subscribe("a");
        notifier.notify("a");
        subscription.mark_seen();
        assert!(subscription.notified().now_or_never().is_none());
        notifier.notify("a");
        subscription.notified().await;
    }

    /// Starts two notifiers, as two processes would, where the database connects them.
    async fn two() -> Option<(TestDatabase, Db, Notifier, Notifier)> {
        let database = TestDatabase::each().await.unwrap().pop()?;
        if database.backend() != DbBackend::Postgres {
            return None;
        }
        let db = database.db().await.unwrap();
        let start = || Notifier::start(db.clone(), Clock::system(), database.settings().of_session());
        let (here, there) = (start(), start());
        here.started().await;
        there.started().await;
        Some((database, db, here, there))
    }

    #[tokio::test]
    async fn other_processes_are_woken_too() {
        let Some((_database, _db, here, there)) = two().await else { return };
        let (mut near, mut far) = (here.subscribe("queue/mail"), there.subscribe("queue/mail"));
        for _ in 0..1000 {
            here.notify("queue/mail");
        }
        near.notified().await;
        far.notified().await;
        let long = "x".repeat(9000);
        let mut far = there.subscribe(&long);
        here.notify(&long);
        far.notified().await;
    }

    #[tokio::test]
    async fn its_own_notifications_do_not_come_back() {
        let Some((_database, _db, here, there)) = two().await else { return };
        let mut near = here.subscribe("a");
        let mut far = there.subscribe("b");
        here.notify("a");
        near.notified().await;
        here.notify("b");
        far.notified().await;
        let mut answer = here.subscribe("c");
        there.notify("c");
        // What came before the answer has been heard by now.
        answer.notified().await;
        assert!(near.notified().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_listener_that_was_cut_off_comes_back_and_wakes_everybody() {
        let Some((_database, db, here, there)) = two().await else { return };
        let mut far = there.subscribe("a");
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND query ~ '^(UN)?LISTEN'";
        assert_eq!(db.sql(cut).scalar::<i64>().await.unwrap(), 2);
        far.notified().await;
        let mut again = there.subscribe("b");
        here.notify("b");
        again.notified().await;
    }

    #[tokio::test]
    async fn what_the_last_clone_held_goes_with_it() {
        let Some((_database, db, here, there)) = two().await else { return };
        drop((here.clone(), here, there));
        let count =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^(UN)?LISTEN'";
        while db.sql(count).scalar::<i64>().await.unwrap() > 0 {}
    }
}
