//! The machine, what runs on it, and what it is like.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{result::Machine, statistics::median};
use crate::Result;

/// How often a byte goes there and back.
const ROUND_TRIPS: usize = 1000;

/// Says which machine this is.
pub(crate) fn machine() -> Machine {
    let cpu = cpu_model().unwrap_or_else(|| "unknown".to_owned());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let class = class(&cpu, cores);
    let kernel = first_line(Command::new("uname").arg("-sr")).unwrap_or_else(|| "unknown".to_owned());
    Machine { cpu, cores, memory_bytes: memory().unwrap_or_default(), kernel, class }
}

fn cpu_model() -> Option<String> {
    let model = |text: String| {
        let line = text.lines().find(|line| line.starts_with("model name") || line.starts_with("Hardware"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let told = fs::read_to_string("/proc/cpuinfo").ok().and_then(model);
    told.or_else(|| first_line(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"])))
}

fn memory() -> Option<u64> {
    let of_linux = || {
        let text = fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    of_linux().or_else(|| first_line(Command::new("sysctl").args(["-n", "hw.memsize"]))?.parse().ok())
}

/// Returns what machines have in common whose numbers may be compared, in letters that suit a file's name.
pub(crate) fn class(cpu: &str, cores: usize) -> String {
    let mut name = String::new();
    for letter in cpu.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            name.push(letter);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    format!("{}-{cores}c", name.trim_end_matches('-'))
}

/// Returns the first line that a program writes; `None` where it fails.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Returns the load average of the last minute.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Returns how long a byte takes there and back over TCP on this machine, in milliseconds: the median.
pub(crate) fn round_trip_ms() -> Result<f64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let echo = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut byte = [0];
        while stream.read(&mut byte)? == 1 {
            stream.write_all(&byte)?;
        }
        Ok(())
    });
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let (began, mut byte) = (Instant::now(), [7]);
        stream.write_all(&byte)?;
        stream.read_exact(&mut byte)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    drop(stream);
    echo.join().map_err(|_| "the echo panicked")??;
    median(&times).ok_or_else(|| "nothing came back".into())
}

/// Returns how long it takes to connect to a server elsewhere, in milliseconds: the median of some.
pub(crate) fn connect_ms(url: &url::Url) -> Result<f64> {
    let addresses = url.socket_addrs(|| None)?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let began = Instant::now();
        TcpStream::connect(addresses.as_slice())?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    median(&times).ok_or_else(|| "no connection was made".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_suits_the_name_of_a_file() {
        assert_eq!(class("AMD EPYC 7B13 64-Core Processor", 2), "amd-epyc-7b13-64-core-processor-2c");
        assert_eq!(class("Intel(R) Xeon(R) CPU @ 2.20GHz", 8), "intel-r-xeon-r-cpu-2-20ghz-8c");
    }

    #[test]
    fn a_byte_comes_back() {
        let time = round_trip_ms().unwrap();
        assert!(time > 0.0 && time < 1000.0, "{time}");
    }
}
