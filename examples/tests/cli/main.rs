//! The command line that every application has, run as a person runs it: real processes, in folders of their own.
#![cfg(unix)]

#[path = "../crash/cluster.rs"]
mod cluster;
mod commands;
mod database;
mod process;
mod secure_redis;
mod serving;
mod tools;
