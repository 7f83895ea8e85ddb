//! `#[derive(ActionError)]`.

use std::{error::Error as _, time::Duration};

use bunbase::{
    action::ActionError,
    error::{Error, Retry},
};

#[derive(bunbase::ActionError, Debug)]
enum TaskError {
    /// No project has this id.
    #[error(status = 404, code = "project_missing", "project {0} does not exist")]
    ProjectMissing(i64),
    #[error(status = 409, code = "task_limit", retry = never, "a project holds at most {max:03} tasks, {{not}} {type:?}")]
    Limit { max: u32, r#type: String },
    #[error(status = 503, retry = after("30s"), "busy")]
    StillBusy,
    #[error(status = 422, "not a number")]
    Number(#[from] std::num::ParseIntError),
    #[error(internal)]
    Io(#[from] std::io::Error),
    #[error(internal)]
    Db(#[from] sea_orm::DbErr),
    #[error(internal)]
    Broken(u8),
    #[error(internal)]
    Gone,
    #[error(framework)]
    Other(#[from] Error),
}

fn of(error: impl Into<TaskError>) -> Error {
    error.into().into()
}

#[test]
fn a_variant_has_a_status_a_code_and_a_text() {
    let error = of(TaskError::ProjectMissing(7));
    assert_eq!((error.status(), error.code(), error.detail()), (404, "project_missing", "project 7 does not exist"));
    let error = of(TaskError::Limit { max: 7, r#type: "a".into() });
    assert_eq!(error.detail(), "a project holds at most 007 tasks, {not} \"a\"");
    assert_eq!(error.retry_class(), Retry::Never);
    let error = of(TaskError::StillBusy);
    assert_eq!((error.code(), error.retry_class()), ("still_busy", Retry::After(Duration::from_secs(30))));
}

#[test]
fn a_cause_is_kept_for_the_log() {
    let number = "x".parse::<u8>().unwrap_err();
    let error = of(number.clone());
    assert_eq!((error.status(), error.detail()), (422, "not a number"));
    assert_eq!(error.source().unwrap().to_string(), number.to_string());
    assert!(TaskError::from(number).source().is_some());
}

#[test]
fn an_internal_error_says_nothing_to_the_caller() {
    let error = TaskError::from(std::io::Error::other("the password is x"));
    assert_eq!(error.to_string(), "an internal error");
    let error = of(error);
    assert_eq!((error.status(), error.code()), (500, "internal"));
    assert!(!error.detail().contains("password"));
    assert_eq!(error.source().unwrap().to_string(), "the password is x");
    assert_eq!(of(TaskError::Broken(3)).source().unwrap().to_string(), "TaskError::Broken(3)");
    assert!(of(TaskError::Gone).source().unwrap().to_string().contains("Gone"));
}

#[test]
fn a_database_that_is_away_is_503() {
    let away = sea_orm::DbErr::Conn(sea_orm::RuntimeErr::Internal("refused".into()));
    assert_eq!(of(away).status(), 503);
    assert_eq!(of(sea_orm::DbErr::Custom("x".into())).status(), 500);
}

#[test]
fn an_error_of_the_framework_passes_unchanged() {
    let error = of(Error::new(418, "teapot", "short and stout").retry(Retry::Never));
    assert_eq!((error.status(), error.code(), error.detail()), (418, "teapot", "short and stout"));
    assert_eq!(error.retry_class(), Retry::Never);
    assert_eq!(TaskError::from(Error::not_found("no")).to_string(), "no");
}

#[test]
fn the_document_lists_what_a_caller_can_meet() {
    let listed: Vec<_> = TaskError::VARIANTS.iter().map(|variant| (variant.status, variant.code)).collect();
    assert_eq!(listed, [(404, "project_missing"), (409, "task_limit"), (503, "still_busy"), (422, "number")]);
    assert_eq!(TaskError::VARIANTS[0].docs, "No project has this id.");
    assert_eq!(TaskError::VARIANTS[0].message, "project {0} does not exist");
}

#[test]
fn a_question_mark_converts() {
    fn parse(text: &str) -> Result<u8, TaskError> {
        Ok(text.parse()?)
    }
    fn outer(text: &str) -> bunbase::Result<u8> {
        Ok(parse(text)?)
    }
    assert_eq!(outer("7").unwrap(), 7);
    assert_eq!(outer("x").unwrap_err().status(), 422);
}

#[derive(bunbase::ActionError, Debug)]
enum Missing {
    /// There is no such shelf.
    #[error(status = 404, code = "shelf_missing", "shelf {0} does not exist")]
    Shelf(u8),
}

#[derive(bunbase::ActionError, Debug)]
enum Nested {
    #[error(status = 409, code = "full", "it is full")]
    Full,
    #[error(framework)]
    Missing(#[from] Missing),
    #[error(framework)]
    Input(#[from] bunbase::error::InvalidInput),
}

#[derive(bunbase::ActionError, Debug)]
enum Hiding {
    #[error(framework)]
    Nested(#[from] Nested),
    #[error(internal)]
    Io(#[from] std::io::Error),
}

#[test]
fn an_error_that_is_passed_through_brings_what_it_can_be() {
    let codes: Vec<_> = Nested::VARIANTS.iter().map(|variant| (variant.status, variant.code)).collect();
    assert_eq!(codes, [(409, "full"), (404, "shelf_missing"), (422, "invalid_input")]);
    let error = Error::from(Nested::from(Missing::Shelf(7)));
    assert_eq!((error.status(), error.code(), error.detail()), (404, "shelf_missing", "shelf 7 does not exist"));
    assert_eq!(Hiding::VARIANTS.len(), 3);
    assert_eq!(Error::from(Hiding::from(Nested::Full)).status(), 409);
}

#[test]
fn an_error_knows_whether_it_says_everything() {
    use std::convert::Infallible;
    const { assert!(!Missing::OPEN && !Missing::HIDES && !Nested::OPEN && !Nested::HIDES) };
    const { assert!(!Hiding::OPEN && Hiding::HIDES && TaskError::OPEN && TaskError::HIDES) };
    const { assert!(!Infallible::OPEN && !Infallible::HIDES && Error::OPEN) };
}
