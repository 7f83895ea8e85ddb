//! The queue as an application looks after it: `ctx.jobs()`.

use std::fmt;

use uuid::Uuid;

use crate::{
    Result,
    context::{Ctx, Services},
    db::page::{Cursor, Page},
    queue::{Cancel, DeadLetter, FailureFilter, Job, JobFilter, JobStore, Stats},
};

/// How many dead letters one statement moves or deletes.
const BATCH: u32 = 1000;

/// The stored jobs and the dead letters, to look at and to change.
#[derive(Clone, Copy)]
pub struct Jobs<'a>(&'a Services);

impl Ctx {
    /// Returns the stored jobs and the dead letters.
    pub fn jobs(&self) -> Jobs<'_> {
        Jobs(self.inner().services())
    }
}

impl<'a> Jobs<'a> {
    pub(crate) fn of(services: &'a Services) -> Self {
        Self(services)
    }

    fn store(self) -> &'a dyn JobStore {
        &*self.0.jobs
    }

    /// Returns a job, whether it has ended or not; `None` when it is gone, or among the [dead letters](Self::failure).
    ///
    /// # Errors
    /// Those of the database, here and in all others.
    pub async fn get(self, id: Uuid) -> Result<Option<Job>> {
        self.store().get(id).await
    }

    /// Lists jobs, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list(self, filter: &JobFilter, limit: u32, cursor: Option<&Cursor>) -> Result<Page<Job>> {
        self.store().list(filter, limit, cursor).await
    }

    /// Cancels a job: at once when it waits, and when it runs by having its worker drop it at its next `await`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn cancel(self, id: Uuid) -> Result<Cancel> {
        let answer = self.store().cancel(id).await?;
        if answer == Cancel::Requested {
            self.0.wake.cancel();
        }
        Ok(answer)
    }

    /// Returns how full the queues are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn stats(self) -> Result<Stats> {
        self.store().stats(&[]).await
    }

    /// Returns a dead letter.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn failure(self, id: Uuid) -> Result<Option<DeadLetter>> {
        self.store().failure(id).await
    }

    /// Lists dead letters, the latest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn failures(
        self,
        filter: &FailureFilter,
        limit: u32,
        cursor: Option<&Cursor>,
    ) -> Result<Page<DeadLetter>> {
        self.store().failures(filter, limit, cursor).await
    }

    /// Makes jobs of dead letters again, with all their attempts. Returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn retry(self, filter: &FailureFilter) -> Result<u64> {
        let mut all = 0;
        loop {
            let again = self.store().retry(filter, BATCH).await?;
            again.queues.iter().for_each(|queue| self.0.wake.jobs(queue));
            all += again.jobs;
            if again.jobs < u64::from(BATCH) {
                return Ok(all);
            }
        }
    }

    /// Deletes dead letters. Returns how many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn discard(self, filter: &FailureFilter) -> Result<u64> {
        let mut all = 0;
        loop {
            let gone = self.store().discard(filter, BATCH).await?;
            all += gone;
            if gone < u64::from(BATCH) {
                return Ok(all);
            }
        }
    }
}

impl fmt::Debug for Jobs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}
