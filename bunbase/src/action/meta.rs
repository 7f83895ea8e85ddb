//! What is known of an action and of a module at compile time.

use std::{fmt, time::Duration};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trigger {
    /// An HTTP route. The path is the action's own template, without its modules' prefixes.
    Http {
        /// The method.
        method: Method,
        /// The template, such as `/tasks/{task_id}`.
        path: &'static str,
    },
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
