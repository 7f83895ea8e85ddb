//! What is sent in each scenario, and what must be answered.

use serde_json::{Value, json};

use super::probe::Answer;

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Each request takes one by chance.
    pub(crate) paths: Vec<&'static str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Body>,
}

impl Request {
    /// A request that only asks.
    pub(crate) fn get(path: &'static str) -> Self {
        Self { method: "GET", paths: vec![path], headers: Vec::new(), body: None }
    }

    /// A request with a document.
    pub(crate) fn post(path: &'static str, document: &Value) -> Self {
        Self { method: "POST", body: Some(Body::json(document)), ..Self::get(path) }
    }
}

impl Body {
    fn json(document: &Value) -> Self {
        Self { content_type: "application/json".to_owned(), bytes: document.to_string().into_bytes() }
    }
}

/// A body, and its media type.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// What answers of the twin have in common with those of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twin {
    /// There is none: it would be another program.
    None,
    /// Every byte of the body.
    Same,
    /// Every byte, of what the application answered when the twin's copy was made.
    Copy,
    /// Every byte, but for the row's number and time.
    SameRow,
}

/// One scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What it is, for people.
    pub(crate) about: &'static str,
    pub(crate) request: Request,
    pub(crate) twin: Twin,
    /// Whether it needs the table with its rows.
    pub(crate) reads_rows: bool,
    /// Whether it needs the cookie of a session.
    pub(crate) is_signed: bool,
    /// What the first answer to its request must be, and the last.
    pub(crate) expects: fn(&Answer) -> Result<(), String>,
}

/// Returns all scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    let plain = Scenario {
        name: "",
        about: "",
        request: Request::get("/"),
        twin: Twin::None,
        reads_rows: false,
        is_signed: false,
        expects: |_| Ok(()),
    };
    let get = Request::get;
    let post = |path, body| Request::post(path, &body);
    let row = json!({ "title": "Write the quarterly report", "description": "All of it", "status": "open" });
    vec![
        Scenario {
            name: "simple-get",
            about: "GET /_health/live: a small answer, nothing behind it",
            request: get("/_health/live"),
            twin: Twin::Copy,
            expects: |answer| answer.json()?.as_object().map(|_| ()).ok_or_else(|| "is no object".to_owned()),
            ..plain.clone()
        },
        Scenario {
            name: "health-check",
            about: "GET /_health: the database, the queues, the outbox; results are shared for a second",
            request: get("/_health"),
            twin: Twin::Copy,
            expects: |answer| answer.has("/status", &json!("ok")),
            ..plain.clone()
        },
        Scenario {
            name: "metrics-export",
            about: "GET /_metrics: 200 series in the text format of Prometheus",
            request: get("/_metrics"),
            twin: Twin::Copy,
            expects: |answer| match series(&answer.text()) {
                count if count >= 200 => Ok(()),
                count => Err(format!("has {count} series, and 200 are expected")),
            },
            ..plain.clone()
        },
        Scenario {
            name: "openapi-spec",
            about: "GET /openapi.json: the document of all actions",
            request: get("/openapi.json"),
            twin: Twin::Copy,
            expects: |answer| {
                let document = answer.json()?;
                let paths = document.get("paths").and_then(Value::as_object);
                paths
                    .filter(|paths| paths.contains_key("/tasks"))
                    .map(|_| ())
                    .ok_or_else(|| "has no path /tasks".to_owned())
            },
            ..plain.clone()
        },
        Scenario {
            name: "action-get",
            about: "GET /items/42?limit=10&q=hello with a header: typed path, query and header",
            request: Request { headers: vec![("x-tenant", "acme".to_owned())], ..get("/items/42?limit=10&q=hello") },
            twin: Twin::Same,
            expects: |answer| answer.is_json(&json!({ "id": 42, "tenant": "acme", "limit": 10, "q": "hello" })),
            ..plain.clone()
        },
        Scenario {
            name: "action-post",
            about: "POST /tasks: 158 bytes of JSON, five fields checked, eight answered",
            request: post("/tasks", draft()),
            twin: Twin::Same,
            expects: is_task,
            ..plain.clone()
        },
        Scenario {
            name: "auth-post",
            about: "POST /signed/tasks: the same for whoever has a signed session",
            request: post("/signed/tasks", draft()),
            is_signed: true,
            expects: is_task,
            ..plain.clone()
        },
        Scenario {
            name: "db-read",
            about: "GET /db/tasks?status=open: ten rows of a million by an index",
            request: get("/db/tasks?status=open"),
            twin: Twin::Same,
            reads_rows: true,
            expects: is_rows,
            ..plain.clone()
        },
        Scenario {
            name: "db-write",
            about: "POST /db/tasks: one row in, and back",
            request: post("/db/tasks", row.clone()),
            twin: Twin::SameRow,
            reads_rows: true,
            expects: |answer| {
                answer.has("/status", &json!("open"))?;
                let document = answer.json()?;
                document.get("id").and_then(Value::as_i64).map(|_| ()).ok_or_else(|| "has no number in /id".to_owned())
            },
            ..plain.clone()
        },
        Scenario {
            name: "mixed",
            about: "seven reads and three writes of the two above, by chance",
            request: Request {
                // By POST, since load tools have one method and one body for all; the search ignores what it needs not.
                paths: [["/db/tasks/search"; 7].as_slice(), &["/db/tasks"; 3]].concat(),
                ..post("", row)
            },
            twin: Twin::Same,
            reads_rows: true,
            expects: is_rows,
            ..plain.clone()
        },
        Scenario {
            name: "kv",
            about: "GET /kv/bench: a value by its key",
            request: get("/kv/bench"),
            expects: |answer| answer.is_json(&kept()),
            ..plain.clone()
        },
        Scenario {
            name: "kv-put",
            about: "PUT /kv/bench: a value under its key, for an hour",
            request: Request { method: "PUT", ..post("/kv/bench", kept()) },
            expects: |answer| answer.is_json(&kept()),
            ..plain.clone()
        },
        Scenario {
            name: "rate-limited",
            about: "GET /limited: a limit by a key that is never reached",
            request: Request { headers: vec![("x-tenant", "acme".to_owned())], ..get("/limited") },
            expects: |answer| {
                answer.is_json(&json!(true))?;
                // Without it nothing would be counted.
                answer
                    .header("ratelimit-remaining")
                    .map(|_| ())
                    .ok_or_else(|| "has no `RateLimit-Remaining`".to_owned())
            },
            ..plain.clone()
        },
        Scenario {
            name: "large-payload",
            about: "POST /large: 100 KiB of JSON in, the same out",
            request: post("/large", sheet()),
            twin: Twin::Same,
            expects: |answer| answer.is_json(&sheet()),
            ..plain.clone()
        },
        Scenario {
            name: "upload",
            about: "POST /upload: a form with a file of 100 KiB",
            request: Request { method: "POST", body: Some(form()), ..get("/upload") },
            twin: Twin::Same,
            expects: |answer| answer.is_json(&json!({ "size_bytes": FILE_BYTES })),
            ..plain.clone()
        },
        Scenario {
            name: "queue",
            about: "POST /enqueue: a job is stored, and worked on meanwhile",
            request: post("/enqueue", json!({ "n": 1 })),
            expects: |answer| answer.is_json(&json!(true)),
            ..plain.clone()
        },
        Scenario {
            name: "events",
            about: "POST /emit: an event with one subscriber, which hears of it meanwhile",
            request: post("/emit", json!({ "n": 1 })),
            expects: |answer| answer.is_json(&json!(true)),
            ..plain
        },
    ]
}

/// Returns the scenarios of these names, all of them where there are none.
///
/// # Errors
/// A name that no scenario has.
pub(crate) fn chosen(names: &[String]) -> crate::Result<Vec<Scenario>> {
    let all = all();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|scenario| scenario.name != **name)) {
        let known: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        return Err(format!("no scenario is named `{unknown}`; there are {}", known.join(", ")).into());
    }
    // In the order that was asked for.
    let find = |name: &String| all.iter().find(|scenario| scenario.name == *name).cloned();
    Ok(if names.is_empty() { all.clone() } else { names.iter().filter_map(find).collect() })
}

/// Counts the series of a scrape.
pub(crate) fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
}

/// The size of the file that is uploaded.
const FILE_BYTES: usize = 100 * 1024;

fn draft() -> Value {
    json!({
        "title": "Write the quarterly report",
        "description": "All of it",
        "priority": 3,
        "tags": ["work", "q3"],
        "assigneeId": "0b0e7a3c-9a52-4f0e-9d4e-1f5f2c3d4e5f",
    })
}

/// What is kept under the key.
pub(crate) fn kept() -> Value {
    json!({ "text": "a value of some length", "number": 42 })
}

/// A document of about 100 KiB.
fn sheet() -> Value {
    let line = |n: usize| json!({ "id": n, "name": format!("Line {n} of a sheet that is long"), "amount_cents": n * 17, "tags": ["one", "two", "three"] });
    let lines: Vec<Value> = (0..1000).map(line).collect();
    json!({ "lines": lines })
}

fn form() -> Body {
    const BOUNDARY: &str = "----bunbase-bench-boundary";
    let file: Vec<u8> = (0..FILE_BYTES).map(|place| u8::try_from(place % 251).unwrap_or_default()).collect();
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    let bytes = [head.as_bytes(), &file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    Body { content_type: format!("multipart/form-data; boundary={BOUNDARY}"), bytes }
}

fn is_task(answer: &Answer) -> Result<(), String> {
    let expected = draft();
    let members = ["title", "description", "priority", "tags", "assigneeId"];
    members.iter().try_for_each(|member| answer.has(&format!("/{member}"), &expected[*member]))?;
    answer.has("/status", &json!("open"))?;
    match answer.json()?.as_object().map_or(0, serde_json::Map::len) {
        8 => Ok(()),
        other => Err(format!("has {other} members, and 8 are expected")),
    }
}

fn is_rows(answer: &Answer) -> Result<(), String> {
    let rows = answer.json()?;
    let rows = rows.as_array().filter(|rows| rows.len() == 10).ok_or("is no list of ten rows")?;
    let is_row = |row: &Value| row["status"] == "open" && row["id"].is_i64() && row["created_at"].is_string();
    if rows.iter().all(is_row) { Ok(()) } else { Err("has a row that is not as asked for".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        Answer::new(200, "application/json", text.as_bytes().to_vec())
    }

    #[test]
    fn names_are_unique_and_unknown_ones_refused() {
        let all = chosen(&[]).unwrap();
        let mut names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        let error = chosen(&["action-got".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`action-got`") && error.contains("action-get"), "{error}");
    }

    #[test]
    fn scenarios_come_in_the_order_that_was_asked_for() {
        let names = ["db-read".to_owned(), "action-get".to_owned()];
        let chosen: Vec<_> = chosen(&names).unwrap().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(chosen, ["db-read", "action-get"]);
    }

    #[test]
    fn mixed_is_seven_reads_and_three_writes() {
        let mixed = chosen(&["mixed".to_owned()]).unwrap().remove(0);
        let reads = mixed.request.paths.iter().filter(|path| path.ends_with("/search")).count();
        assert_eq!((reads, mixed.request.paths.len()), (7, 10));
    }

    #[test]
    fn the_bodies_have_the_sizes_that_are_claimed() {
        let all = all();
        let size = |name: &str| {
            let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
            scenario.request.body.as_ref().unwrap().bytes.len()
        };
        assert!((140..=170).contains(&size("action-post")), "{}", size("action-post"));
        assert!((95_000..=110_000).contains(&size("large-payload")), "{}", size("large-payload"));
        assert!(size("upload") > FILE_BYTES);
    }

    #[test]
    fn an_answer_of_another_shape_is_refused() {
        let find = |name: &str| chosen(&[name.to_owned()]).unwrap().remove(0).expects;
        assert!(find("action-get")(&answer(r#"{"id":42,"tenant":"acme","limit":10,"q":"hello"}"#)).is_ok());
        assert!(find("action-get")(&answer(r#"{"id":43,"tenant":"acme","limit":10,"q":"hello"}"#)).is_err());
        assert!(find("db-read")(&answer("[]")).is_err());
        assert!(find("action-post")(&answer(&draft().to_string())).is_err());
        assert!(find("metrics-export")(&answer("# HELP a b\na 1\n")).is_err());
        assert!(find("simple-get")(&answer("<html>")).is_err());
    }

    #[test]
    fn comments_of_a_scrape_are_no_series() {
        assert_eq!(series("# HELP a b\n# TYPE a counter\na 1\na{b=\"c\"} 2\n\n"), 2);
    }
}
