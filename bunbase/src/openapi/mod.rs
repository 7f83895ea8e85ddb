//! The API document and the page that shows it.
//!
//! Here: what a reader of the API sees. Not here: how it is served (`http`).

pub mod reference;
