//! Answers that are kept, so that a call which is repeated with the same key gets the first one's.
//!
//! Here: the table of keys and who holds one. Not here: where a key comes from and what an answer is (`invoke`). May name: `db`,
//! `clock`, `error`.
