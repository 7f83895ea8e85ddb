//! Processes that are killed in the middle of their work, at random and many times: nothing is lost, and nothing happens twice.
#![cfg(unix)]

mod cluster;
mod identical;
mod kills;
mod limits;
mod outage;
mod paused;
mod process;
mod records;
mod restart;
