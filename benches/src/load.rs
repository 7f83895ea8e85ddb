//! A load of blocking connections: one request at a time on each, kept alive. It sends a given number of requests, which load tools that go by time do not.

use std::{
    io::{Error, Read, Result, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::runner::Request;

/// Connections at a time.
const CONNECTIONS: usize = 8;

/// Sends so many requests to `HOST:PORT` and returns how long that took. Every answer must be 200.
pub(crate) fn run(address: &str, requests: usize, request: &Request) -> Result<Duration> {
    let bytes = bytes(address, request)?;
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| connection(address, requests / CONNECTIONS, &bytes))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| Error::other("a connection panicked"))?)
    })?;
    Ok(started.elapsed())
}

/// Sends one request on a connection, and reads its answer. It must be 200.
pub(crate) fn ask(stream: &mut TcpStream, request: &Request) -> Result<()> {
    let address = stream.peer_addr()?.to_string();
    stream.write_all(&bytes(&address, request)?)?;
    answer(stream, &mut vec![0; 8192])
}

/// Returns what is sent.
fn bytes(address: &str, request: &Request) -> Result<Vec<u8>> {
    let path = request.paths.first().copied().unwrap_or("/");
    let mut bytes = format!("{} {path} HTTP/1.1\r\nhost: {address}\r\n", request.method).into_bytes();
    for (name, value) in &request.headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    if let Some(body) = &request.body {
        write!(bytes, "content-type: {}\r\ncontent-length: {}\r\n", body.content_type, body.bytes.len())?;
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend(request.body.iter().flat_map(|body| &body.bytes));
    Ok(bytes)
}

fn connection(address: &str, requests: usize, bytes: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 8192];
    for _ in 0..requests {
        stream.write_all(bytes)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_its_head_and_its_body() {
        let text = |name: &str| {
            String::from_utf8(bytes("127.0.0.1:80", &crate::runner::request(name).unwrap()).unwrap()).unwrap()
        };
        let post = text("action-post");
        let (head, body) = post.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /tasks HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        assert_eq!(text("simple-get"), "GET /_health/live HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n");
    }
}
