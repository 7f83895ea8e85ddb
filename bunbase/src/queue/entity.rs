//! The two tables, for plain reads.

pub(super) mod job {
    use sea_orm::entity::prelude::*;

    use super::super::{Attempt, Priority, Status, history};

    /// A job as it is stored.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_queue")]
    pub struct Model {
        /// The id; later jobs have greater ones.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The queue that it is in.
        pub queue: String,
        /// The full name of the action.
        pub action: String,
        /// The input: one JSON object.
        pub input: String,
        /// Where it is in its life.
        pub status: Status,
        /// How urgent it is.
        pub priority: Priority,
        /// When it may run, or might have.
        pub run_at: DateTimeUtc,
        /// How many attempts it was charged; while it runs, this one included.
        pub attempt: i32,
        /// How many it has.
        pub max_attempts: i32,
        /// How often it was claimed: the fencing token.
        pub claims: i32,
        /// The worker that took it last.
        pub worker: Option<String>,
        /// Until when it is that worker's own; only while it runs.
        pub leased_until: Option<DateTimeUtc>,
        /// Whether somebody asked for it to be cancelled.
        pub cancel_requested: bool,
        /// The unique key that it holds.
        pub unique_key: Option<String>,
        /// The group that it belongs to.
        pub group_key: Option<String>,
        /// How many of its group may run at a time.
        pub group_limit: Option<i32>,
        /// Its place in a group that runs in order.
        pub position: Option<i64>,
        /// The door that its run comes by.
        pub door: String,
        /// What it came from.
        pub origin: Option<String>,
        /// Who caused it, as JSON.
        pub identity: String,
        /// The trace that it belongs to.
        pub traceparent: String,
        /// What its handler reported of its progress last.
        pub progress: Option<String>,
        /// The attempts that failed, as JSON; see [`history`](Self::history).
        pub errors: Option<String>,
        /// When it was stored.
        pub created_at: DateTimeUtc,
        /// When its last attempt began.
        pub started_at: Option<DateTimeUtc>,
        /// When it ended.
        pub finished_at: Option<DateTimeUtc>,
    }

    impl Model {
        /// Returns the attempts that failed, oldest first, at most the last 20.
        pub fn history(&self) -> Vec<Attempt> {
            history(self.errors.as_deref())
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod failure {
    use sea_orm::entity::prelude::*;

    use super::super::{Attempt, Priority, history};

    /// A job that is out of attempts.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "job_failures")]
    pub struct Model {
        /// The id that it had as a job, and has again when it is retried.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        /// The queue that it was in.
        pub queue: String,
        /// The full name of the action.
        pub action: String,
        /// The input: one JSON object.
        pub input: String,
        /// How urgent it was.
        pub priority: Priority,
        /// How many attempts it took.
        pub attempts: i32,
        /// How many it had.
        pub max_attempts: i32,
        /// How often it was claimed.
        pub claims: i32,
        /// The group that it belonged to.
        pub group_key: Option<String>,
        /// How many of its group might run at a time.
        pub group_limit: Option<i32>,
        /// Its place in a group that runs in order.
        pub position: Option<i64>,
        /// The door that its run came by.
        pub door: String,
        /// What it came from.
        pub origin: Option<String>,
        /// Who caused it, as JSON.
        pub identity: String,
        /// The trace that it belongs to.
        pub traceparent: String,
        /// The stable code of the last failure.
        pub error_code: String,
        /// The text of the last failure.
        pub error: String,
        /// The attempts that failed, as JSON; see [`history`](Self::history).
        pub errors: String,
        /// When the job was stored.
        pub created_at: DateTimeUtc,
        /// When its last attempt failed.
        pub failed_at: DateTimeUtc,
    }

    impl Model {
        /// Returns the attempts that failed, oldest first, at most the last 20.
        pub fn history(&self) -> Vec<Attempt> {
            history(Some(&self.errors))
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
