//! What a measurement stands on: the database, the load tool, the twin's documents, and how one run is made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    cli,
    data::{Data, Redis},
    probe::{Answer, Prober},
    process::{Sampler, Watched},
    progress::Progress,
    result::{Load, Run},
    scenario::{self, Request, Scenario},
    target::{Environment, Server, Target},
    tool::{Shot, Tool},
};
use crate::{Result, twin::DOCUMENTS};

/// How long a scrape may be shared: `metrics.max_age`, and a little.
const SCRAPE_AGE: Duration = Duration::from_millis(1100);

/// How many series a scrape has at least.
const SERIES: usize = 200;

/// How often is looked whether a run is over.
const LOOK: Duration = Duration::from_millis(100);

/// What all measurements of one call share.
pub(crate) struct Bed {
    pub(crate) options: cli::Run,
    pub(crate) cores: usize,
    pub(crate) tool: Tool,
    pub(crate) prober: Prober,
    pub(crate) progress: Progress,
    pub(crate) environment: Environment,
    /// Of a server that runs elsewhere there is none.
    pub(crate) data: Option<Data>,
    pub(crate) redis: Option<Redis>,
    redis_process: Option<u32>,
    /// What the twin answers for what is built in.
    pub(crate) documents: BTreeMap<&'static str, Answer>,
    /// Whether the table is there.
    pub(crate) has_rows: bool,
    interrupted: Arc<AtomicBool>,
    folder: TempDir,
}

/// A server under measurement.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) base: String,
    /// Whether it has all endpoints of the application.
    pub(crate) is_application: bool,
    /// `None` where it runs elsewhere.
    pub(crate) server: Option<Server>,
}

impl Subject {
    pub(crate) fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Says that it is still there.
    pub(crate) fn lives(&mut self) -> Result<()> {
        self.server.as_mut().map_or(Ok(()), Server::lives)
    }

    pub(crate) fn stop(self) -> Result<()> {
        if let Some(server) = self.server {
            let name = server.name.clone();
            let status = server.stop()?;
            if !status.success() {
                return Err(format!("the server `{name}` ended with {status}").into());
            }
        }
        Ok(())
    }
}

impl Bed {
    /// Prepares everything: the load tool, the database, the documents.
    pub(crate) fn make(options: cli::Run, scenarios: &[Scenario]) -> Result<Self> {
        let mut progress = Progress::new();
        let tool = Tool::find_or_install(options.tool())?;
        let folder = tempfile::Builder::new().prefix("bunbase-bench-").tempdir()?;
        let documents = folder.path().join("documents");
        fs::create_dir(&documents)?;
        let interrupted = Arc::new(AtomicBool::new(false));
        listen(&interrupted)?;
        let mut redis = options.redis.as_deref().map(Redis::connect).transpose()?;
        let redis_process = redis.as_mut().map(Redis::process).transpose()?.flatten();
        let data = match options.url {
            Some(_) => None,
            None => Some(Data::make(&address(&options.database), folder.path())?),
        };
        let environment = Environment {
            workers: options.workers,
            database: data.as_ref().map(|data| data.url.clone()),
            redis: redis.as_ref().map(|redis| redis.url.clone()),
            redis_prefix: redis.as_ref().map(|redis| redis.prefix.clone()).unwrap_or_default(),
            documents,
            folder: folder.path().to_owned(),
            settings: options.settings.clone(),
        };
        let has_rows = scenarios.iter().any(|scenario| scenario.reads_rows);
        if let Some(data) = data.as_ref().filter(|_| has_rows) {
            progress.step(&format!("making a table of {} rows", options.rows));
            data.fill(options.rows)?;
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut bed = Self {
            options,
            cores,
            tool,
            prober: Prober::new(),
            progress,
            environment,
            data,
            redis,
            redis_process,
            documents: BTreeMap::new(),
            has_rows,
            interrupted,
            folder,
        };
        if bed.data.is_some() {
            bed.copy_documents()?;
        }
        Ok(bed)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Removes what was made.
    pub(crate) fn remove(mut self) -> Result<()> {
        if let Some(redis) = &mut self.redis {
            redis.remove()?;
        }
        self.data.as_mut().map_or(Ok(()), Data::remove)
    }

    /// Stores what the application answers for what is built in, for the twin.
    fn copy_documents(&mut self) -> Result<()> {
        let subject = self.start(&Target::Bunbase)?;
        make_series(&self.prober, &subject.base)?;
        for (path, name) in DOCUMENTS {
            let answer = self.prober.ask(&subject.base, &Request::get(path))?;
            fs::write(self.environment.documents.join(name), &answer.body)?;
            fs::write(self.environment.documents.join(format!("{name}.type")), &answer.content_type)?;
            self.documents.insert(path, answer);
        }
        subject.stop()?;
        self.clean()
    }

    /// Starts a server.
    pub(crate) fn start(&self, target: &Target) -> Result<Subject> {
        let server = target.start(&self.environment)?;
        Ok(Subject {
            name: target.name(),
            base: server.base.clone(),
            is_application: target.is_application(),
            server: Some(server),
        })
    }

    /// Prepares a server for a scenario, and returns what to send.
    pub(crate) fn prepare(&self, subject: &Subject, scenario: &Scenario) -> Result<Request> {
        prepare(&self.prober, &subject.base, subject.is_application, scenario)
    }

    /// Returns what the load tool is to do.
    pub(crate) fn shot<'a>(&'a self, base: &str, request: &'a Request, duration: Duration) -> Result<Shot<'a>> {
        let mut headers: Vec<(String, String)> =
            request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let mut file: Option<PathBuf> = None;
        if let Some(body) = &request.body {
            headers.push(("content-type".to_owned(), body.content_type.clone()));
            let path = self.folder().join("body");
            fs::write(&path, &body.bytes)?;
            file = Some(path);
        }
        Ok(Shot {
            urls: request.paths.iter().map(|path| format!("{base}{path}")).collect(),
            method: request.method,
            headers,
            body: file,
            connections: usize::try_from(self.options.connections)?,
            pipelining: usize::try_from(self.options.pipelining)?,
            duration,
            rate: self.options.rate,
            folder: self.folder(),
        })
    }

    /// Sends for a while, and returns what came of it; shows how far it is.
    pub(crate) fn fire(&mut self, what: &str, subject: &Subject, request: &Request, duration: Duration) -> Result<Run> {
        let idle = Vec::new();
        self.fire_beside(what, subject, request, duration, idle)
    }

    /// As [`fire`](Self::fire), while other servers of the measurement do nothing.
    pub(crate) fn fire_beside(
        &mut self,
        what: &str,
        subject: &Subject,
        request: &Request,
        duration: Duration,
        others: Vec<u32>,
    ) -> Result<Run> {
        let shot = self.shot(&subject.base, request, duration)?;
        let watched = Watched {
            server: subject.process(),
            database: self.data.as_ref().and_then(|data| data.local_name.clone()),
            redis: self.redis_process,
            others,
        };
        let sampler = Sampler::start(watched);
        let began = Instant::now();
        let running = self.tool.start(&shot)?;
        let tool = running.id();
        let waiter = thread::spawn(move || running.finish());
        let mut is_interrupted = false;
        while !waiter.is_finished() {
            thread::sleep(LOOK);
            let details = sampler.server_now().map_or_else(String::new, |(cpu_s, bytes)| {
                let share = cpu_s / began.elapsed().as_secs_f64() * 100.0;
                format!("server {share:.0} % CPU, {}", super::table::megabytes(bytes))
            });
            self.progress.update(what, began.elapsed(), duration, &details);
            if !is_interrupted && self.is_interrupted() {
                is_interrupted = true;
                // The one who waits for it cannot stop it.
                std::process::Command::new("kill").args(["-TERM", &tool.to_string()]).status()?;
            }
        }
        let load: Result<Load> = waiter.join().map_err(|_| "the one who waits for the load tool panicked")?;
        let usage = sampler.finish(began.elapsed().as_secs_f64(), self.cores);
        if is_interrupted {
            return Err("interrupted".into());
        }
        Ok(Run { load: load?, usage, is_outlier: false })
    }

    /// Returns whether somebody pressed Ctrl-C.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Removes what runs left behind.
    pub(crate) fn clean(&mut self) -> Result<()> {
        if let Some(redis) = &mut self.redis {
            redis.remove()?;
        }
        self.data.as_ref().map_or(Ok(()), Data::clean)
    }
}

/// Prepares a server for a scenario, and returns what to send. The application alone has what has to be prepared.
pub(crate) fn prepare(prober: &Prober, base: &str, is_application: bool, scenario: &Scenario) -> Result<Request> {
    let mut request = scenario.request.clone();
    if !is_application {
        return Ok(request);
    }
    if scenario.name == "metrics-export" {
        make_series(prober, base)?;
    }
    if scenario.name == "kv" {
        let put = scenario::chosen(&["kv-put".to_owned()])?.remove(0);
        prober.check(base, &put, &put.request)?;
    }
    if scenario.is_signed {
        let sign_in = Request { method: "POST", ..Request::get("/signed/in") };
        let answer = prober.ask(base, &sign_in)?;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        let cookie = cookie.ok_or_else(|| format!("signing in has status {} and no cookie", answer.status))?;
        request.headers.push(("cookie", cookie.to_owned()));
        // As a browser says it of the application's own pages.
        request.headers.push(("sec-fetch-site", "same-origin".to_owned()));
    }
    Ok(request)
}

/// Has a scrape as many series as are claimed.
fn make_series(prober: &Prober, base: &str) -> Result<()> {
    let more = |count: usize| -> Result<()> {
        let answer = prober.ask(base, &Request::post("/series", &json!({ "count": count })))?;
        if answer.status == 200 { Ok(()) } else { Err(format!("POST /series has status {}", answer.status).into()) }
    };
    let count = || -> Result<usize> {
        thread::sleep(SCRAPE_AGE);
        Ok(scenario::series(&prober.ask(base, &Request::get("/_metrics"))?.text()))
    };
    // What is asked for has series of its own, once it was asked for.
    more(0)?;
    count()?;
    let missing = SERIES.saturating_sub(count()?);
    more(missing)?;
    thread::sleep(SCRAPE_AGE);
    Ok(())
}

/// Notes Ctrl-C, so that the database is removed.
fn listen(interrupted: &Arc<AtomicBool>) -> Result<()> {
    let interrupted = interrupted.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        let heard = runtime.block_on(tokio::signal::ctrl_c());
        interrupted.store(heard.is_ok(), Ordering::Relaxed);
        // Whoever presses it again does not want to wait.
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            std::process::exit(130);
        }
    });
    Ok(())
}

/// Returns the address of a database by what the command line says.
pub(crate) fn address(database: &str) -> String {
    match database {
        "postgres" => std::env::var("BUNBASE_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned()),
        other => other.to_owned(),
    }
}
