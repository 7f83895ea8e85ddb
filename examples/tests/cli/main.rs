//! The command line that every application has, run as a person runs it: real processes, in folders of their own.
#![cfg(unix)]

mod commands;
mod database;
mod debugging;
mod guide;
#[path = "../crash/postgres.rs"]
mod postgres;
mod process;
mod ready;
mod secure_redis;
mod serving;
mod tools;
