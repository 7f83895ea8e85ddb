//! What the benchmark tells every server by its environment, and what every server tells the benchmark.

use std::{
    env, fmt,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

/// Connections to the database of a whole server, however many workers share them.
pub const CONNECTIONS: u32 = 20;

/// What the environment says.
#[derive(Debug)]
pub struct Settings {
    /// Where to listen. Port 0, the default of `PORT`, is any free one.
    pub address: SocketAddr,
    /// How many threads answer requests: `WORKERS`, by default 1.
    pub workers: usize,
    /// The database: `DATABASE_URL`. Without it the endpoints that need one are absent.
    pub database_url: Option<String>,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// A number that is none.
    pub fn from_env() -> io::Result<Self> {
        Ok(Self {
            address: (Ipv4Addr::LOCALHOST, number("PORT", 0)?).into(),
            workers: number("WORKERS", 1)?,
            database_url: env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()),
        })
    }
}

/// Prints where the server listens, for whoever started it.
///
/// # Errors
/// Nobody reads the output any more.
pub fn announce(address: impl fmt::Display) -> io::Result<()> {
    writeln!(io::stdout(), "listening on http://{address}")
}

fn number<T: FromStr>(name: &str, default: T) -> io::Result<T> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| io::Error::other(format!("{name} is no number: `{text}`"))),
        Err(_) => Ok(default),
    }
}
