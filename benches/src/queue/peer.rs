//! graphile-worker, in a process of its own.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{Result, drain::Drained, latency::PAUSE};

/// How it takes jobs and ends them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// With a local queue, and completions together.
    Batched,
    /// Each by itself.
    Single,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Batched => "batched",
            Self::Single => "single",
        })
    }
}

/// Where it is, and its database.
pub(super) struct Peer {
    folder: PathBuf,
    url: String,
}

impl Peer {
    /// Returns it where it is installed.
    pub(super) fn find(url: String) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/graphile-worker");
        let is_there = folder.join("node_modules/graphile-worker").exists()
            && Command::new("node").arg("--version").output().is_ok_and(|answer| answer.status.success());
        is_there.then_some(Self { folder, url })
    }

    /// Works off so many jobs.
    pub(super) async fn drain(&self, jobs: usize, kind: Kind) -> Result<Drained> {
        let answer = self.run(&["drain", &self.url, &jobs.to_string(), &kind.to_string()]).await?;
        Ok(Drained { rate: number(&answer, "per_second")?, cpu_us: answer["cpu_us"].as_f64() })
    }

    /// Returns the median and the 99th percentile of its pick-up, in milliseconds.
    pub(super) async fn latency(&self, jobs: usize) -> Result<(f64, f64)> {
        let pause = PAUSE.as_millis().to_string();
        let answer = self.run(&["latency", &self.url, &jobs.to_string(), &pause]).await?;
        Ok((number(&answer, "p50_ms")?, number(&answer, "p99_ms")?))
    }

    async fn run(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new("node");
        command.arg("bench.mjs").args(arguments).current_dir(&self.folder);
        let answer = tokio::task::spawn_blocking(move || command.output()).await??;
        if !answer.status.success() {
            return Err(format!("graphile-worker: {}", String::from_utf8_lossy(&answer.stderr)).into());
        }
        let text = String::from_utf8(answer.stdout)?;
        Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
    }
}

fn number(answer: &Value, name: &str) -> Result<f64> {
    answer[name].as_f64().ok_or_else(|| format!("graphile-worker answered {answer}").into())
}
