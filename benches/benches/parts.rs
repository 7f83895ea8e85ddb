//! What the parts of a request take, by criterion: `cargo bench -p bunbase-benches --bench parts`.

use std::{hint::black_box, time::Duration};

use bunbase::{
    action::Output,
    observe::{Format, Metrics},
    prelude::*,
    runs::{Limits, Recorder, RunRecord, RunStatus},
    schema::Schema,
    testing::TestApp,
};
use criterion::{Criterion, criterion_group, criterion_main};

const BODY: &str = r#"{"title":"Write the quarterly report","description":"All of it","priority":3,"tags":["work","q3"],"assignee_id":"0b0e7a3c-9a52-4f0e-9d4e-1f5f2c3d4e5f"}"#;

/// What is made.
#[schema]
struct Task {
    title: String,
    description: Option<String>,
    priority: i32,
    tags: Vec<String>,
    assignee_id: Uuid,
}

/// Makes a task.
#[action(post = "/tasks")]
async fn make_task(
    #[validate(length(min = 1, max = 200))] title: String,
    #[validate(length(max = 2000))] description: Option<String>,
    #[validate(range(min = 1, max = 5))] priority: i32,
    #[validate(length(max = 10))] tags: Vec<String>,
    assignee_id: Uuid,
) -> Result<Task> {
    Ok(Task { title, description, priority, tags, assignee_id })
}

/// Lets everybody through.
struct Open;

impl Guard for Open {
    type Error = bunbase::Error;

    async fn check(&self, _ctx: &Ctx) -> Result<()> {
        Ok(())
    }
}

/// Answers behind no guard.
#[action]
async fn answer_open() -> Result<bool> {
    Ok(true)
}

/// Answers behind three guards.
#[action(guards = [Open, Open, Open])]
async fn answer_guarded() -> Result<bool> {
    Ok(true)
}

fn task() -> Task {
    let made: MakeTask = serde_json::from_str(BODY).expect("a body");
    Task {
        title: made.title,
        description: made.description,
        priority: made.priority,
        tags: made.tags,
        assignee_id: made.assignee_id,
    }
}

fn messages(criterion: &mut Criterion) {
    criterion.bench_function(&format!("decode a body of {} bytes", BODY.len()), |bencher| {
        bencher.iter(|| serde_json::from_str::<MakeTask>(black_box(BODY)).expect("a body"));
    });
    let made: MakeTask = serde_json::from_str(BODY).expect("a body");
    criterion.bench_function("validate it", |bencher| bencher.iter(|| black_box(&made).valid()));
    criterion.bench_function("make an answer and encode it", |bencher| {
        bencher.iter_batched(task, |task| task.reply().expect("an answer"), criterion::BatchSize::SmallInput);
    });
}

fn runs(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let app = runtime.block_on(TestApp::start(App::new()));
    criterion.bench_function("a run without I/O, recorded and measured", |bencher| {
        bencher.to_async(&runtime).iter(async || app.call(AnswerOpen::new()).await.expect("an answer"));
    });
    criterion.bench_function("the same behind three guards", |bencher| {
        bencher.to_async(&runtime).iter(async || app.call(AnswerGuarded::new()).await.expect("an answer"));
    });
}

fn records(criterion: &mut Criterion) {
    let recorder = Recorder::new(Limits::default());
    let record = || RunRecord {
        action: "bench.answer",
        door: "http",
        trace_id: [7; 16],
        attempt: 1,
        status: RunStatus::Succeeded,
        started_us: bunbase::clock::Clock::system().now_us(),
        duration: Duration::from_micros(10),
        http_status: Some(200),
        failure: None,
        details: None,
    };
    // Nobody writes: the oldest makes room, which costs more than an empty buffer does.
    criterion.bench_function("take a record into a full buffer", |bencher| {
        bencher.iter_batched(record, |record| recorder.record(record), criterion::BatchSize::SmallInput);
    });
}

fn metrics(criterion: &mut Criterion) {
    let metrics = Metrics::new(vec![0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0]);
    let (sold, took) = (metrics.counter("shop_sold", "Sold"), metrics.histogram("shop_took_ms", "Took"));
    for n in 0..180 {
        sold.inc(&[("thing", &format!("thing-{n}"))]);
    }
    criterion.bench_function("count by a label of one's own", |bencher| {
        bencher.iter(|| sold.inc(black_box(&[("thing", "thing-7")])));
    });
    criterion.bench_function("measure a time", |bencher| {
        bencher.iter(|| took.observe(black_box(Duration::from_millis(3)), &[]));
    });
    criterion.bench_function("write 200 series", |bencher| bencher.iter(|| metrics.text(Format::Prometheus)));
}

criterion_group!(all, messages, runs, records, metrics);
criterion_main!(all);
