//! A load of blocking connections: one request at a time on each, kept alive.

use std::{
    io::{Error, Read, Result, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const BODY: &str = r#"{"name":"a thing of some length","tags":["one","two","three"]}"#;

/// What is sent.
pub(crate) struct Request {
    /// The path.
    pub(crate) path: &'static str,
    /// A line of its head that others do not have, with its end; may be empty.
    pub(crate) header: String,
}

impl Default for Request {
    fn default() -> Self {
        Self { path: "/shops/42/items", header: String::new() }
    }
}

/// Sends `requests` over `connections` and returns how long that took. Every answer must be 200.
pub(crate) fn run(address: &str, connections: usize, requests: usize) -> Result<Duration> {
    run_with(address, connections, requests, &Request::default())
}

/// As [`run`], with another request.
pub(crate) fn run_with(address: &str, connections: usize, requests: usize, request: &Request) -> Result<Duration> {
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|_| scope.spawn(move || connection(address, requests / connections, request)))
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| Error::other("a connection panicked"))?)
    })?;
    Ok(started.elapsed())
}

fn connection(address: &str, requests: usize, request: &Request) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let Request { path, header } = request;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nx-tenant: acme\r\ncontent-type: application/json\r\n{header}content-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut buffer = vec![0; 8192];
    for _ in 0..requests {
        stream.write_all(request.as_bytes())?;
        answer(&mut stream, &mut buffer)?;
    }
    Ok(())
}

/// Reads one answer, by its length.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if read == 0 {
            return Err(Error::other("the server closed the connection, or its answer is too long"));
        }
        filled += read;
        let text = std::str::from_utf8(&buffer[..filled]).map_err(Error::other)?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if !head.starts_with("HTTP/1.1 200") {
            return Err(Error::other(format!("unexpected answer: {text}")));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if length.is_some_and(|length| body.len() >= length) {
            return Ok(());
        }
    }
}
