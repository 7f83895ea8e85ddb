//! How a page of a list fails.

use sea_orm::DbErr;

use super::CursorError;
use crate::Error;

/// Why there is no page. As an action's error, or a part of one (`#[error(framework)]`), it documents its 404.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// No page of this list begins at the cursor.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The database did not answer.
    #[error("the page cannot be read")]
    Db(#[from] DbErr),
    /// The order of the list cannot be one, or a row of it cannot be marked by a cursor.
    #[error("{0}")]
    Order(String),
}

impl From<PageError> for Error {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Cursor(source) => source.into(),
            PageError::Db(source) => source.into(),
            PageError::Order(mistake) => Self::internal(mistake),
        }
    }
}
