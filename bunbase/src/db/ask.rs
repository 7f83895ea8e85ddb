//! What is asked of a statement: its effect, its first row, or all of its rows. Whatever answers it, the rest is alike.

use std::future::Future;

use sea_orm::{ConnectionTrait, DbErr, ExecResult, QueryResult, Statement};

use super::{Run, kept::Lease};

/// What is asked of a statement.
pub(crate) trait Ask {
    /// What is answered.
    type Answer: Send;

    /// Whether only rows are wanted, so that whoever only reads may answer.
    const IS_QUERY: bool;

    /// Asks a connection, or a transaction.
    fn on(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> impl Future<Output = Result<Self::Answer, DbErr>> + Send;

    /// Asks a connection that is kept.
    fn of(
        lease: Lease,
        statement: Statement,
        run: Option<&Run>,
    ) -> impl Future<Output = Result<Self::Answer, DbErr>> + Send;

    /// Returns how many rows were answered or changed.
    fn rows(answer: &Self::Answer) -> u64;
}

/// How many rows it changes.
pub(crate) struct Effect;

/// The first row, if there is one.
pub(crate) struct First;

/// All rows.
pub(crate) struct All;

impl Ask for Effect {
    type Answer = ExecResult;

    const IS_QUERY: bool = false;

    async fn on(connection: &impl ConnectionTrait, statement: Statement) -> Result<ExecResult, DbErr> {
        connection.execute_raw(statement).await
    }

    async fn of(lease: Lease, statement: Statement, run: Option<&Run>) -> Result<ExecResult, DbErr> {
        lease.execute(statement, run).await
    }

    fn rows(answer: &ExecResult) -> u64 {
        answer.rows_affected()
    }
}

impl Ask for First {
    type Answer = Option<QueryResult>;

    const IS_QUERY: bool = true;

    async fn on(connection: &impl ConnectionTrait, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        connection.query_one_raw(statement).await
    }

    async fn of(lease: Lease, statement: Statement, run: Option<&Run>) -> Result<Option<QueryResult>, DbErr> {
        lease.query_one(statement, run).await
    }

    fn rows(answer: &Option<QueryResult>) -> u64 {
        u64::from(answer.is_some())
    }
}

impl Ask for All {
    type Answer = Vec<QueryResult>;

    const IS_QUERY: bool = true;

    async fn on(connection: &impl ConnectionTrait, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        connection.query_all_raw(statement).await
    }

    async fn of(lease: Lease, statement: Statement, run: Option<&Run>) -> Result<Vec<QueryResult>, DbErr> {
        lease.query_all(statement, run).await
    }

    fn rows(answer: &Vec<QueryResult>) -> u64 {
        answer.len() as u64
    }
}
