//! Processes that are killed in the middle of their work, at random and many times: nothing is lost, and nothing happens twice.
#![cfg(unix)]

mod identical;
mod kills;
mod limits;
mod outage;
mod paused;
mod postgres;
mod process;
mod records;
mod restart;
mod sessions;
