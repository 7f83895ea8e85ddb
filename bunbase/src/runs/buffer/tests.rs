use std::time::Duration;

use super::*;
use crate::{
    clock::Clock,
    runs::{Details, Failure, LogLine},
};

fn record(status: RunStatus, attempt: u32) -> RunRecord {
    RunRecord {
        action: "a",
        door: "http",
        trace_id: [1; 16],
        attempt,
        status,
        started_us: Clock::system().now_us(),
        duration: Duration::ZERO,
        http_status: None,
        failure: None,
        details: None,
    }
}

/// A recorder with room for so many plain records.
fn with_room_for(records: usize) -> Recorder {
    let one = Entry::weight_of(&record(RunStatus::Succeeded, 0));
    Recorder::new(Limits { flush_at: 1, most_bytes: records * one as usize, ..Limits::default() })
}

/// Takes everything that waits.
fn drain(recorder: &Recorder) -> Vec<Entry> {
    std::iter::from_fn(|| Some(recorder.take(100, usize::MAX)).filter(|batch| !batch.is_empty())).flatten().collect()
}

fn attempts(entries: &[Entry]) -> Vec<u32> {
    entries.iter().map(|entry| entry.record.attempt).collect()
}

#[test]
fn successes_go_first_and_what_went_is_counted() {
    let recorder = with_room_for(8);
    recorder.record(record(RunStatus::Failed, 0));
    for attempt in 1..=15 {
        recorder.record(record(RunStatus::Succeeded, attempt));
    }
    // Six of eight are all that successes get.
    assert_eq!(attempts(&drain(&recorder)), [0, 10, 11, 12, 13, 14, 15]);
    assert_eq!(recorder.counts().dropped_successes, 9);
    assert_eq!(recorder.counts().dropped_others, 0);
}

#[test]
fn failures_take_the_place_of_successes_and_then_of_older_failures() {
    let recorder = with_room_for(8);
    (0..6).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    (10..20).for_each(|attempt| recorder.record(record(RunStatus::Panicked, attempt)));
    recorder.record(record(RunStatus::Succeeded, 99));
    assert_eq!(attempts(&drain(&recorder)), (12..20).collect::<Vec<_>>());
    let counts = recorder.counts();
    assert_eq!((counts.dropped_successes, counts.dropped_others), (7, 2));
}

#[test]
fn what_is_being_written_takes_up_room_until_it_is_done() {
    let recorder = with_room_for(8);
    (0..6).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    let writing = drain(&recorder);
    recorder.record(record(RunStatus::Succeeded, 6));
    assert_eq!((recorder.len(), recorder.counts().dropped_successes), (0, 1));
    recorder.done(&writing, true);
    assert_eq!(recorder.bytes(), 0);
    recorder.record(record(RunStatus::Succeeded, 7));
    assert_eq!((recorder.len(), recorder.counts().written), (1, 6));
}

#[test]
fn a_failure_finds_room_while_a_batch_is_being_written() {
    let recorder = with_room_for(80);
    (0..100).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    (0..20).for_each(|attempt| recorder.record(record(RunStatus::Failed, attempt)));
    // The database hangs, and everything is full.
    assert_eq!([(); 2].map(|()| recorder.take(1000, usize::MAX).len()), [5, 5]);
    (20..70).for_each(|attempt| recorder.record(record(RunStatus::Failed, attempt)));
    assert_eq!(recorder.counts().dropped_others, 0);
    recorder.record(record(RunStatus::Failed, 70));
    assert_eq!((recorder.counts().dropped_others, attempts(&recorder.take(1, usize::MAX))), (1, vec![1]));
}

#[test]
fn what_could_not_be_written_comes_first_again_and_keeps_its_id() {
    let recorder = with_room_for(100);
    (0..4).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    let taken = recorder.take(2, usize::MAX);
    let ids: Vec<_> = taken.iter().map(|entry| recorder.ids().of(entry)).collect();
    assert!(taken.iter().all(|entry| !entry.is_again));
    recorder.put_back(taken);
    let again = recorder.take(2, usize::MAX);
    assert_eq!(attempts(&again), [0, 1]);
    assert!(again.iter().zip(ids).all(|(entry, id)| entry.is_again && recorder.ids().of(entry) == id));
}

#[test]
fn two_batches_that_could_not_be_written_are_in_order_again() {
    for swapped in [false, true] {
        let recorder = with_room_for(200);
        for attempt in 0..20 {
            let status = if attempt % 3 == 0 { RunStatus::Failed } else { RunStatus::Succeeded };
            recorder.record(record(status, attempt));
        }
        let mut batches = [recorder.take(5, usize::MAX), recorder.take(5, usize::MAX)];
        if swapped {
            batches.reverse();
        }
        for batch in batches {
            recorder.put_back(batch);
        }
        assert_eq!(attempts(&drain(&recorder)), (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn a_batch_is_bounded_in_bytes_and_is_never_empty() {
    let recorder = with_room_for(100);
    (0..50).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    assert_eq!(recorder.take(100, 1).len(), 1);
    assert_eq!(recorder.take(2, usize::MAX).len(), 2);
    // A sixteenth of the buffer.
    assert_eq!(recorder.take(100, usize::MAX).len(), 7);
}

#[test]
fn batches_are_in_the_order_in_which_records_came_whatever_they_are() {
    let recorder = with_room_for(100);
    for attempt in 0..30 {
        let status = if [2, 3, 7, 8, 9, 20].contains(&attempt) { RunStatus::Failed } else { RunStatus::Succeeded };
        recorder.record(record(status, attempt));
    }
    let mut all = Vec::new();
    for most in [1, 2, 5, 4, 100] {
        let batch = recorder.take(most, usize::MAX);
        assert!(batch.len() <= most);
        all.extend(attempts(&batch));
    }
    all.extend(attempts(&drain(&recorder)));
    assert_eq!(all, (0..30).collect::<Vec<_>>());
    assert!(recorder.is_empty());
}

#[test]
fn ids_are_of_version_7_and_in_the_order_of_the_records() {
    let recorder = with_room_for(1000);
    (0..500).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    let ids: Vec<Uuid> = drain(&recorder).iter().map(|entry| recorder.ids().of(entry)).collect();
    assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
    assert!(ids.is_sorted_by(|one, next| one < next));
}

#[test]
fn an_entry_is_small_enough_to_be_moved_without_a_call() {
    assert!(size_of::<Entry>() <= 128, "{}", size_of::<Entry>());
}

#[test]
fn a_sample_is_of_whole_traces_and_never_of_what_went_wrong() {
    let recorder = Recorder::new(Limits { sample: 0.25, ..Limits::default() });
    let mut trace_id = [0; 16];
    for number in 0..=255_u8 {
        trace_id[8] = number;
        for _ in 0..2 {
            recorder.record(RunRecord { trace_id, ..record(RunStatus::Succeeded, 1) });
        }
    }
    let counts = recorder.counts();
    assert_eq!((counts.recorded, counts.sampled_out), (128, 384));
    let none = Recorder::new(Limits { sample: 0.0, slow: Duration::from_millis(10), ..Limits::default() });
    none.record(record(RunStatus::Succeeded, 1));
    none.record(record(RunStatus::TimedOut, 2));
    none.record(RunRecord { duration: Duration::from_millis(10), ..record(RunStatus::Succeeded, 3) });
    let line = LogLine {
        logged_at: chrono::Utc::now(),
        level: tracing::Level::ERROR,
        target: "t".into(),
        message: String::new(),
        fields: None,
    };
    let details = Some(Box::new(Details { lines: vec![line], ..Details::default() }));
    none.record(RunRecord { details, ..record(RunStatus::Succeeded, 4) });
    assert_eq!(attempts(&drain(&none)), [2, 3, 4]);
}

#[test]
fn memory_is_bounded_whatever_records_hold() {
    let recorder = Recorder::new(Limits { most_bytes: 100_000, ..Limits::default() });
    for number in 0..10_000 {
        let status = if number % 3 == 0 { RunStatus::Failed } else { RunStatus::Succeeded };
        let failure = Failure { code: "broken".into(), text: Some("x".repeat(number % 700)) };
        recorder.record(RunRecord { failure: Some(Box::new(failure)), ..record(status, 1) });
        assert!(recorder.bytes() <= 100_000);
    }
    let counts = recorder.counts();
    let lost = counts.dropped_successes + counts.dropped_others;
    assert_eq!(recorder.len() as u64 + lost, 10_000);
}

#[test]
fn queues_have_little_more_room_than_they_need() {
    let recorder = with_room_for(40_000);
    let room = || {
        let waiting = recorder.lock();
        (waiting.successes.capacity(), waiting.others.capacity())
    };
    (0..60_000).for_each(|attempt| recorder.record(record(RunStatus::Succeeded, attempt)));
    let (successes, _) = room();
    assert!((30_000..=37_500).contains(&successes), "{successes}");
    // These take the place of all successes.
    (0..60_000).for_each(|attempt| recorder.record(record(RunStatus::Failed, attempt)));
    let (successes, others) = room();
    assert!(successes <= ROOM && (40_000..=50_000).contains(&others), "{successes} {others}");
    assert_eq!(drain(&recorder).len(), 40_000);
    let (successes, others) = room();
    assert!(successes <= ROOM && others <= ROOM, "{successes} {others}");
}
