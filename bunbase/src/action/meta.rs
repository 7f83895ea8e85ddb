//! What is known of an action and of a module at compile time.

use std::{fmt, time::Duration};

use crate::{
    queue::{
        Priority,
        backoff::{Backoff, ceiling, full_jitter},
    },
    schedule::{Missed, Overlap},
    webhook::Verify,
};

/// An HTTP method that an action can be bound to. HEAD and OPTIONS are answered by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// GET; HEAD is answered with it.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Method {
    /// All methods, in the order in which they are listed.
    pub const ALL: [Self; 5] = [Self::Get, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Returns whether unmarked fields come from the body: not for GET and DELETE.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way to reach an action: a door, as data.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Trigger {
    /// An HTTP route. The path is the action's own template, without its modules' prefixes.
    Http {
        /// The method.
        method: Method,
        /// The template, such as `/tasks/{task_id}`.
        path: &'static str,
    },
    /// A signed delivery of another service, by POST. Stored before it is answered, and run as a job.
    Webhook {
        /// The path, without its modules' prefixes.
        path: &'static str,
        /// Makes the signature scheme. Called once, at start-up.
        verify: fn() -> Box<dyn Verify>,
    },
    /// An event. The subscription is one consumer group: each event runs once for it in the whole cluster.
    Event {
        /// The event's name.
        name: &'static str,
        /// Whether events with one ordering key run one at a time, in the order in which they were emitted.
        ordered: bool,
        /// Whether it runs on every instance instead, at most once on each and without a job.
        broadcast: bool,
    },
    /// A time rule: `cron = "0 2 * * *"` or `every = "30s"`.
    Schedule {
        /// Five or six fields of cron, or `every` and a duration: `every 30s`.
        rule: &'static str,
        /// The time zone by its IANA name; empty for the configured one, `schedule.zone`.
        zone: &'static str,
        /// What happens to ticks that nobody took.
        missed: Missed,
        /// What happens when a tick comes while an earlier one still runs.
        overlap: Overlap,
    },
    /// A tool of the Model Context Protocol, under the action's full name with `_` for the dots unless it has another.
    Tool {
        /// The name, where the action's is not meant.
        name: Option<&'static str>,
    },
}

/// The kinds of doors: how a run was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// An HTTP request.
    Http,
    /// A webhook's delivery.
    Webhook,
    /// An event.
    Event,
    /// A tick of a schedule.
    Cron,
    /// A job that an action enqueued.
    Job,
    /// A tool call.
    Tool,
    /// Another action, a test, or the command line.
    Call,
}

impl Door {
    /// All doors.
    pub const ALL: [Self; 7] = [Self::Http, Self::Webhook, Self::Event, Self::Cron, Self::Job, Self::Tool, Self::Call];

    /// Returns its name in records, metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Webhook => "webhook",
            Self::Event => "event",
            Self::Cron => "cron",
            Self::Job => "job",
            Self::Tool => "tool",
            Self::Call => "call",
        }
    }

    /// Returns the door of a name; [`Door::Job`] for one that is not known.
    pub fn of_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|door| door.as_str() == name).unwrap_or(Self::Job)
    }

    /// Returns whether a claim of the queue is one attempt: then the queue retries, and the run itself does not.
    pub const fn is_queued(self) -> bool {
        matches!(self, Self::Webhook | Self::Event | Self::Cron | Self::Job)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How often a run is tried, and how long to wait between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many attempts there are, the first included; at least 1.
    pub attempts: u32,
    /// How waits grow.
    pub backoff: Backoff,
    /// The first wait.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
    /// Whether the real wait is drawn between zero and that ("full jitter"). On unless said.
    pub jitter: bool,
}

impl RetryPolicy {
    /// What `retry(…)` leaves out: 3 attempts, exponential from 1 s to 30 s, with full jitter.
    pub const DEFAULT: Self = Self {
        attempts: 3,
        backoff: Backoff::Exponential,
        base: Duration::from_secs(1),
        max: Duration::from_secs(30),
        jitter: true,
    };

    /// Returns how long to wait after an attempt, which counts from 1, has failed.
    pub fn wait(&self, attempt: u32) -> Duration {
        let longest = ceiling(self.backoff, self.base, self.max, attempt);
        if self.jitter { full_jitter(longest) } else { longest }
    }
}

/// For how long answers are kept, and for whom: `cache(…)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long an answer is fresh.
    pub ttl: Duration,
    /// How long after that it is still shown while it is made again.
    pub stale: Duration,
    /// Whether each caller has answers of its own.
    pub user: bool,
    /// Whether each input has answers of its own.
    pub input: bool,
    /// What they are invalidated by. A field of the input in braces stands for its value.
    pub tags: &'static [&'static str],
}

impl CachePolicy {
    /// Returns the names of the fields in a tag.
    pub fn fields(tag: &str) -> impl Iterator<Item = &str> {
        tag.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }
}

/// One action, as `#[action]` describes it.
#[derive(Clone, Copy, Debug)]
pub struct ActionMeta {
    /// The name, without its modules' prefixes; the function's unless `name = "…"`.
    pub name: &'static str,
    /// Where the function is: `module_path!()`.
    pub module_path: &'static str,
    /// Where the function is: `file!()`.
    pub file: &'static str,
    /// Where the function is: `line!()`.
    pub line: u32,
    /// The first line of the doc comment.
    pub summary: &'static str,
    /// The rest of the doc comment.
    pub description: &'static str,
    /// The tags in the document; its module's name where there are none.
    pub tags: &'static [&'static str],
    /// Whether the document says that it should no longer be used.
    pub deprecated: bool,
    /// The doors.
    pub triggers: &'static [Trigger],
    /// The status of a success, where the output's own is not meant.
    pub status: Option<u16>,
    /// The content type of a raw output (`Bytes`, `Text`), where its own is not meant.
    pub content_type: Option<&'static str>,
    /// The longest time until the first byte of the answer; `None` leaves it to `http.request_timeout`.
    pub timeout: Option<Duration>,
    /// The largest body in bytes; `None` leaves it to `http.max_body_size`.
    pub body_limit_bytes: Option<u64>,
    /// How often a run is tried; `None` is once inline, and as a job what `queue` is configured to.
    pub retry: Option<RetryPolicy>,
    /// Whether a repeated call with the same key gets the first one's answer.
    pub idempotent: bool,
    /// For how long its answers are kept, where they are.
    pub cache: Option<CachePolicy>,
    /// Whether it runs on the pool for work that computes and does not wait.
    pub cpu: bool,
    /// The queue of its jobs; `default` unless said.
    pub queue: &'static str,
    /// How urgent its jobs are.
    pub priority: Priority,
}

impl ActionMeta {
    /// An action of which nothing is said: the rest of what the macro emits.
    pub const DEFAULT: Self = Self {
        name: "",
        module_path: "",
        file: "",
        line: 0,
        summary: "",
        description: "",
        tags: &[],
        deprecated: false,
        triggers: &[],
        status: None,
        content_type: None,
        timeout: None,
        body_limit_bytes: None,
        retry: None,
        idempotent: false,
        cache: None,
        cpu: false,
        queue: "default",
        priority: Priority::Normal,
    };
}

/// One `bunbase::module!`: what the actions of a Rust module share.
#[derive(Clone, Copy, Debug)]
pub struct ModuleMeta {
    /// The name, before the names of its actions; the Rust module's unless `name = "…"`, nothing for a crate's root.
    pub name: &'static str,
    /// Which Rust module: `module_path!()`.
    pub module_path: &'static str,
    /// Where it is written: `file!()`.
    pub file: &'static str,
    /// Where it is written: `line!()`.
    pub line: u32,
    /// The path prefix, such as `/projects/{project_id}`; empty for none.
    pub prefix: &'static str,
    /// What the document says about the module's tag.
    pub description: &'static str,
    /// The tags that its actions have in the document, besides their own.
    pub tags: &'static [&'static str],
}
