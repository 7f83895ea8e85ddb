use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::{metrics::PATIENCE, *};

/// Returns whether the metrics have all of these lines.
#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|other| other == *line), "{line} is not in\n{text}");
    }
}

#[test]
fn what_is_registered_and_measured_is_in_the_text() {
    let metrics = Metrics::new(vec![1.0, 10.0]);
    metrics.counters("bunbase_lost", "What was lost.").of(Labels::new()).count();
    let waits = metrics.histograms("bunbase_wait_ms", "Waits");
    waits.of(labels([("kind", "fast")])).add(Duration::from_micros(500));
    waits.of(labels([("kind", "slow")])).add(Duration::from_millis(20));
    metrics.gauges("bunbase_places", "Places", || vec![(labels([("state", "idle")]), 3_u64)]);
    metrics.counts("bunbase_seen", "Seen", || vec![(labels([("result", "kept")]), 7_u64)]);
    metrics.gauges("bunbase_age_seconds", "Age", || vec![(Labels::new(), Duration::from_millis(1500))]);
    let common = [
        "bunbase_lost_total 1",
        "# TYPE bunbase_places gauge",
        "bunbase_places{state=\"idle\"} 3",
        "bunbase_seen_total{result=\"kept\"} 7",
        "bunbase_age_seconds 1.5",
    ];
    let open = metrics.clone().text(Format::OpenMetrics);
    assert_lines(&open, &common);
    let only_here = [
        "# TYPE bunbase_lost counter",
        "# HELP bunbase_lost What was lost.",
        "bunbase_wait_ms_bucket{le=\"1.0\",kind=\"fast\"} 1",
        "bunbase_wait_ms_bucket{le=\"10.0\",kind=\"slow\"} 0",
        "bunbase_wait_ms_bucket{le=\"+Inf\",kind=\"slow\"} 1",
    ];
    assert_lines(&open, &only_here);
    assert!(open.ends_with("# EOF\n"), "{open}");
    let plain = metrics.text(Format::Prometheus);
    assert_lines(&plain, &common);
    let only_here = [
        "# TYPE bunbase_lost_total counter",
        "bunbase_wait_ms_bucket{kind=\"fast\",le=\"1\"} 1",
        "bunbase_wait_ms_bucket{kind=\"slow\",le=\"10\"} 0",
        "bunbase_wait_ms_bucket{kind=\"slow\",le=\"+Inf\"} 1",
    ];
    assert_lines(&plain, &only_here);
    assert!(!plain.contains("# EOF"), "{plain}");
}

#[test]
fn the_format_is_the_one_that_is_asked_for() {
    let chosen = |accept| Format::accepted(Some(accept));
    assert_eq!(Format::accepted(None), Format::Prometheus);
    assert_eq!(chosen("*/*"), Format::Prometheus);
    assert_eq!(chosen("text/plain"), Format::Prometheus);
    assert_eq!(chosen("application/openmetrics-text"), Format::OpenMetrics);
    // What Prometheus sends.
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(chosen(prometheus), Format::OpenMetrics);
    assert_eq!(chosen("application/openmetrics-text;q=0.2, text/plain;q=0.9"), Format::Prometheus);
    assert_eq!(chosen("application/openmetrics-text;q=0"), Format::Prometheus);
    assert_eq!(chosen("application/openmetrics-text;q=nonsense"), Format::Prometheus);
}

#[test]
fn a_series_is_there_from_its_first_measurement_on_unless_its_zero_counts() {
    let metrics = Metrics::new(vec![1.0]);
    let counters = metrics.counters("bunbase_a", "A");
    let (seldom, _zero) = (counters.of(labels([("kind", "seldom")])), counters.at_zero(labels([("kind", "zero")])));
    let times = metrics.histograms("bunbase_a_ms", "A").of(Labels::new());
    let text = metrics.text(Format::Prometheus);
    assert!(text.contains("bunbase_a_total{kind=\"zero\"} 0") && !text.contains("seldom"), "{text}");
    assert!(!text.contains("bunbase_a_ms_count"), "{text}");
    seldom.count();
    times.add(Duration::ZERO);
    assert_lines(&metrics.text(Format::Prometheus), &["bunbase_a_total{kind=\"seldom\"} 1", "bunbase_a_ms_count 1"]);
}

#[test]
fn who_registers_a_name_again_gets_the_same() {
    let metrics = Metrics::new(vec![1.0]);
    for _ in 0..2 {
        metrics.counters("bunbase_a", "A").of(Labels::new()).count();
    }
    let text = metrics.text(Format::Prometheus);
    assert_lines(&text, &["bunbase_a_total 2"]);
    assert_eq!(text.matches("# TYPE bunbase_a_total").count(), 1);
}

#[test]
fn where_nothing_is_measured_there_is_nothing_but_what_the_application_measures() {
    let metrics = Metrics::off();
    metrics.counters("bunbase_a", "A").at_zero(Labels::new()).count();
    metrics.histograms("bunbase_a_ms", "A").of(Labels::new()).add(Duration::ZERO);
    drop(metrics.moving("bunbase_b", "B").of(&Labels::new()).enter());
    metrics.gauges("bunbase_c", "C", || vec![(Labels::new(), 1_u64)]);
    ByText::new(&metrics.counters("bunbase_d", "D"), "code").count("a");
    assert_eq!(metrics.text(Format::Prometheus), "");
    metrics.counter("shop_sold", "Sold").inc(&[]);
    assert!(metrics.text(Format::Prometheus).contains("shop_sold_total 1"));
}

#[test]
fn a_gauge_counts_what_has_entered_and_not_left() {
    let metrics = Metrics::new(vec![]);
    let gauge = metrics.moving("bunbase_in_flight", "In flight").of(&Labels::new());
    let (first, second) = (gauge.enter(), gauge.enter());
    assert_lines(&metrics.text(Format::Prometheus), &["bunbase_in_flight 2"]);
    drop((first, second));
    assert_lines(&metrics.text(Format::Prometheus), &["bunbase_in_flight 0"]);
}

#[test]
fn statuses_and_texts_are_bounded_whatever_comes() {
    let metrics = Metrics::new(vec![]);
    let statuses = ByStatus::new(&metrics.counters("bunbase_answers", "Answers"), labels([("path", "/a")]));
    let texts = ByText::new(&metrics.counters("bunbase_errors", "Errors"), "code");
    for number in 0..10_000_u16 {
        statuses.count(number);
        texts.count(&format!("code_{number}"));
    }
    statuses.count(200);
    let text = metrics.text(Format::Prometheus);
    assert_eq!(text.matches("bunbase_answers_total{").count(), 501, "each status, and one for what is none");
    assert_eq!(text.matches("bunbase_errors_total{").count(), 201, "the first ones, and one for all others");
    assert_lines(
        &text,
        &[
            "bunbase_answers_total{path=\"/a\",status=\"200\"} 2",
            "bunbase_answers_total{path=\"/a\",status=\"0\"} 9500",
            "bunbase_errors_total{code=\"code_7\"} 1",
            "bunbase_errors_total{code=\"other\"} 9800",
        ],
    );
}

#[test]
fn an_exemplar_names_the_trace_in_open_metrics() {
    let metrics = Metrics::new(vec![1.0]);
    let times = metrics.histograms("bunbase_a_ms", "A").of(Labels::new());
    times.add_of(Duration::from_micros(100), Some(&"4bf92f3577b34da6a3ce929d0e0e4736"));
    let text = metrics.text(Format::OpenMetrics);
    assert!(text.contains("# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.1"), "{text}");
    assert!(!metrics.text(Format::Prometheus).contains("trace_id"), "that format has none");
}

#[test]
fn an_application_measures_by_name_and_within_bounds() {
    let metrics = Metrics::new(vec![1.0, 10.0]);
    let sold = metrics.counter("shop_sold", "Sold");
    for number in 0..2000 {
        sold.inc(&[("thing", &number.to_string())]);
    }
    metrics.counter("shop_sold", "Sold").add(5, &[("thing", "7")]);
    metrics.gauge("shop_stock", "Stock").set(1.5, &[("a-place", "x\"y\n")]);
    metrics.gauge("shop_stock", "Stock").add(-0.5, &[("a-place", "x\"y\n")]);
    metrics.histogram("shop_packing_ms", "Packing").observe(Duration::from_millis(3), &[]);
    for name in ["bunbase_mine", "process_mine", "", "1st", "a b", "ä"] {
        metrics.counter(name, "Nothing").inc(&[]);
    }
    metrics.gauge("shop_sold", "Of another kind").set(3.0, &[]);
    let text = metrics.text(Format::Prometheus);
    assert_eq!(text.matches("shop_sold_total{").count(), 1001);
    assert_lines(
        &text,
        &[
            "shop_sold_total{thing=\"7\"} 6",
            "shop_sold_total{thing=\"other\"} 1000",
            "shop_stock{a_place=\"x\\\"y\\n\"} 1.0",
            "shop_packing_ms_bucket{le=\"10\"} 1",
        ],
    );
    assert!(!text.contains("mine") && !text.contains("Nothing"), "{text}");
}

#[test]
fn the_process_is_told_of() {
    let metrics = Metrics::new(vec![]);
    metrics.build("shop", "1.2.3");
    metrics.process();
    let text = metrics.text(Format::Prometheus);
    assert_lines(&text, &["bunbase_build_info{name=\"shop\",version=\"1.2.3\"} 1"]);
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    };
    let now = chrono::Utc::now().timestamp() as f64;
    let began = value("process_start_time_seconds");
    assert!(began <= now + 1.0 && began > now - 86_400.0, "{began} is not before {now}");
    if cfg!(target_os = "linux") {
        assert!(value("process_resident_memory_bytes") > 1e6 && value("process_threads") >= 1.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
        assert!(value("process_cpu_seconds_total") >= 0.0);
    }
}

#[tokio::test]
async fn who_reads_does_not_wait_for_whoever_does_not_answer() {
    let metrics = Metrics::new(vec![1.0]);
    let asked = metrics.counters("bunbase_asked", "Asked").of(Labels::new());
    metrics.ask_first(move || {
        asked.count();
        std::future::pending().boxed()
    });
    let began = Instant::now();
    assert!(metrics.current(Format::OpenMetrics).await.contains("bunbase_asked_total 1"));
    assert!(began.elapsed() < 20 * PATIENCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_was_asked_a_moment_ago_is_not_asked_again() {
    let metrics = Metrics::new(vec![]);
    let count = metrics.counters("bunbase_asked", "Asked").of(Labels::new());
    let asked = Asked::before_reading(&metrics, move || {
        count.count();
        async { Some(7_u64) }
    });
    let read = asked.clone();
    metrics.gauges("bunbase_depth", "Depth", move || read.read(|depth| vec![(Labels::new(), *depth)]));
    assert_eq!(asked.read(|depth| *depth), 0, "nobody has been asked");
    for _ in 0..3 {
        assert_lines(&metrics.current(Format::Prometheus).await, &["bunbase_asked_total 1", "bunbase_depth 7"]);
    }
}
