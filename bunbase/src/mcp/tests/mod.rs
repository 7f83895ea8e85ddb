//! What tools tell of themselves, and how answers look, without a server. `tests/it/mcp` calls them.

mod answers;
mod fixture;
mod names;
mod schemas;
