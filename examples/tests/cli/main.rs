//! The command line that every application has, run as a person runs it: real processes, in folders of their own.
#![cfg(unix)]

mod commands;
mod database;
mod debugging;
#[path = "../crash/postgres.rs"]
mod postgres;
mod process;
mod secure_redis;
mod serving;
mod tools;
