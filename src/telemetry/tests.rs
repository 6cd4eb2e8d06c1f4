//! The status as a bridge writes it, and what it shows then.

use std::time::Duration;

use crate::telemetry::{Account, KindNames, Meters, Names, Operation, Share, State, Status, Telling, unix_micros};

fn names() -> Names {
    let kind = |event: &str, topic| KindNames {
        entity: "Order".to_owned(),
        event: event.to_owned(),
        topic,
    };
    Names {
        bridge: "shop".to_owned(),
        version: "9.9".to_owned(),
        entities: vec!["Order".to_owned(), "Customer".to_owned()],
        topics: vec!["shop.orders".to_owned(), "shop.order-events".to_owned()],
        kinds: vec![kind("Order", 0), kind("OrderPaid", 1), kind("OrderPlaced", 1)],
    }
}

/// Value of a series on the metrics page.
/// So many of 20 old rows of Orders were read.
fn told(telling: Telling, rows: u64) -> Vec<Account> {
    vec![Account {
        entity: "Order".to_owned(),
        generation: 1,
        telling,
        rows,
        rows_estimate: 20,
        share: Share::All,
    }]
}

fn value(status: &Status, series: &str) -> Option<f64> {
    let page = status.metrics();
    let line = page
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn seconds_ago(seconds: i64) -> i64 {
    unix_micros() - seconds * 1_000_000
}

#[test]
fn exactly_one_state_is_shown() {
    let status = Status::new(names());
    for state in State::ALL {
        status.set_state(state);
        let shown = |other: State| value(&status, &format!("walbridge_state{{state=\"{}\"}}", other.word()));
        for other in State::ALL {
            assert_eq!(
                shown(other),
                Some(f64::from(u8::from(other == state))),
                "{state:?} {other:?}"
            );
        }
    }
}

#[test]
fn what_is_durable_is_counted_and_nothing_else() {
    let status = Status::new(names());
    let mut tally = status.tally();
    tally.begun(seconds_ago(3));
    tally.change(0, Operation::Insert);
    tally.record(0);
    tally.record(2);
    tally.suppressed("Customer");
    tally.old_rows("Customer", 7);
    tally.completed();
    tally.seal(1);
    tally.begun(seconds_ago(1));
    tally.change(1, Operation::Delete);
    tally.completed();
    tally.seal(2);

    status.publish(&mut tally, 0);
    assert_eq!(value(&status, "walbridge_transactions_total"), Some(0.0));
    assert_eq!(status.stored_commits(), 0);
    status.publish(&mut tally, 1);
    assert_eq!(value(&status, "walbridge_transactions_total"), Some(1.0));
    assert_eq!(
        value(
            &status,
            "walbridge_changes_total{entity=\"Order\",operation=\"insert\"}"
        ),
        Some(1.0)
    );
    assert_eq!(
        value(
            &status,
            "walbridge_changes_total{entity=\"Customer\",operation=\"delete\"}"
        ),
        Some(0.0)
    );
    assert_eq!(
        value(
            &status,
            "walbridge_events_total{entity=\"Order\",event=\"OrderPlaced\"}"
        ),
        Some(1.0)
    );
    assert_eq!(
        value(&status, "walbridge_backfill_rows_total{entity=\"Customer\"}"),
        Some(7.0)
    );
    assert_eq!(
        value(&status, "walbridge_suppressed_total{entity=\"Customer\"}"),
        Some(1.0)
    );
    assert_eq!(
        value(&status, "walbridge_records_total{topic=\"shop.order-events\"}"),
        Some(1.0)
    );
    assert_eq!(value(&status, "walbridge_batch_records_bucket{le=\"10.0\"}"), Some(1.0));
    assert_eq!(value(&status, "walbridge_commit_seconds_bucket{le=\"2.0\"}"), Some(0.0));
    assert_eq!(value(&status, "walbridge_commit_seconds_bucket{le=\"5.0\"}"), Some(1.0));
    assert_eq!(
        value(&status, "walbridge_commit_seconds_bucket{le=\"+Inf\"}"),
        Some(1.0)
    );
    status.publish(&mut tally, 2);
    assert_eq!(
        value(
            &status,
            "walbridge_changes_total{entity=\"Customer\",operation=\"delete\"}"
        ),
        Some(1.0)
    );
    assert_eq!(value(&status, "walbridge_transactions_total"), Some(2.0));
    assert_eq!(status.stored_commits(), 2);
}

#[test]
fn a_tally_used_again_begins_at_zero() {
    let status = Status::new(names());
    let mut tally = status.tally();
    for commit in 1..=5 {
        tally.begun(seconds_ago(0));
        tally.record(1);
        tally.completed();
        tally.seal(commit);
        status.publish(&mut tally, commit);
    }
    assert_eq!(
        value(&status, "walbridge_records_total{topic=\"shop.order-events\"}"),
        Some(5.0)
    );
    assert_eq!(value(&status, "walbridge_commit_seconds_count"), Some(5.0));
}

#[test]
fn rows_still_to_be_read_are_shown_while_there_are_any() {
    let status = Status::new(names());
    let name = "walbridge_backfill_remaining_rows{entity=\"Order\"}";
    assert_eq!(value(&status, name), None);
    for telling in [Telling::Telling, Telling::Paused] {
        status.old_rows(told(telling, 8));
        assert_eq!(value(&status, name), Some(12.0));
        let report = status.report();
        assert_eq!(report.entities[0].remaining_rows, Some(12));
        assert_eq!((report.backfill[0].state, report.backfill[0].rows), (telling, 8));
    }
    for telling in [Telling::Reconciling, Telling::Complete, Telling::Cancelled] {
        status.old_rows(told(telling, 8));
        assert_eq!(value(&status, name), None, "{telling:?}");
    }
}

#[test]
fn lag_is_the_age_of_the_oldest_commit_that_is_not_durable() {
    let status = Status::new(names());
    status.moved(0, 0);
    let mut tally = status.tally();
    assert!(status.lag_seconds() < 0.001);
    tally.begun(seconds_ago(30));
    assert!(
        status.lag_seconds() >= 30.0,
        "a giant transaction counts while it streams, before any publish"
    );
    tally.completed();
    tally.seal(100);
    tally.begun(seconds_ago(10));
    tally.completed();
    assert!(status.lag_seconds() >= 30.0);
    status.publish(&mut tally, 100);
    assert!((10.0..30.0).contains(&status.lag_seconds()), "{}", status.lag_seconds());
    tally.seal(200);
    status.publish(&mut tally, 200);
    assert!(status.lag_seconds() < 0.001, "all that was seen is durable");
}

#[test]
fn a_run_that_failed_leaves_its_lag_and_counts_nothing() {
    let status = Status::new(names());
    status.moved(0, 0);
    let mut tally = status.tally();
    tally.begun(seconds_ago(30));
    tally.record(0);
    tally.completed();
    tally.seal(100);
    drop(tally);
    assert!(status.lag_seconds() >= 30.0);
    let mut again = status.tally();
    again.begun(seconds_ago(31));
    assert!(status.lag_seconds() >= 31.0);
    again.completed();
    again.seal(100);
    status.publish(&mut again, 100);
    assert_eq!(value(&status, "walbridge_transactions_total"), Some(1.0));
    assert_eq!(
        value(&status, "walbridge_records_total{topic=\"shop.orders\"}"),
        Some(0.0)
    );
    assert!(status.lag_seconds() < 0.001);
}

#[test]
fn while_nothing_is_carried_the_lag_grows() {
    let status = Status::new(names());
    let lags = |least: f64| {
        std::thread::sleep(Duration::from_millis(20));
        assert!(
            status.lag_seconds() >= least,
            "{:?}: {}",
            status.state(),
            status.lag_seconds()
        );
    };
    lags(0.02);
    status.set_state(State::Retrying);
    status.set_state(State::Starting);
    lags(0.04);
    status.set_state(State::Streaming);
    lags(0.06);
    let streams: fn(&Status) = |status| {
        status.set_state(State::Streaming);
        status.moved(1, 1);
    };
    let waits: fn(&Status) = |status| status.set_state(State::Waiting);
    for carries in [streams, waits] {
        carries(&status);
        assert!(status.lag_seconds().abs() < f64::EPSILON, "{:?}", status.state());
        for not in [State::Retrying, State::Halted, State::Stopping] {
            status.set_state(not);
            lags(0.02);
        }
    }
    status.server(9_000, 800, None);
    waits(&status);
    assert_eq!(
        (status.lag_bytes(), status.report().slot),
        (0, None),
        "nobody looks meanwhile"
    );
    let mut tally = status.tally();
    tally.begun(seconds_ago(30));
    assert!(status.lag_seconds() >= 30.0, "what was seen is older");
}

#[test]
fn a_clock_that_is_behind_shows_no_negative_lag() {
    let status = Status::new(names());
    status.moved(0, 0);
    let mut tally = status.tally();
    tally.begun(seconds_ago(-60));
    assert!(status.lag_seconds().abs() < f64::EPSILON);
    tally.completed();
    tally.seal(1);
    status.publish(&mut tally, 1);
    assert_eq!(
        value(&status, "walbridge_commit_seconds_bucket{le=\"0.002\"}"),
        Some(1.0)
    );
}

#[test]
fn bytes_are_counted_to_the_farther_end() {
    let status = Status::new(names());
    status.server(5_000, 700, None);
    assert_eq!(status.lag_bytes(), 0, "nothing is known of what is durable");
    status.acknowledged(900);
    assert_eq!(status.lag_bytes(), 4_100, "what was acknowledged is durable");
    status.moved(1_000, 1_500);
    assert_eq!(status.lag_bytes(), 4_000);
    status.moved(6_000, 6_200);
    assert_eq!(status.lag_bytes(), 200);
    assert_eq!(value(&status, "walbridge_position_lsn"), Some(6_000.0));
}

#[test]
fn a_slot_without_limit_shows_none() {
    let status = Status::new(names());
    assert_eq!(value(&status, "walbridge_slot_retained_bytes"), None);
    status.server(1, 700, Some(300));
    assert_eq!(value(&status, "walbridge_slot_safe_bytes"), Some(300.0));
    status.server(1, 800, None);
    assert_eq!(value(&status, "walbridge_slot_safe_bytes"), None);
    assert_eq!(value(&status, "walbridge_slot_retained_bytes"), Some(800.0));
}

#[test]
fn names_are_those_on_the_page() {
    let status = Status::new(names());
    status.old_rows(told(Telling::Telling, 8));
    status.restarted("source", "connection lost");
    status.server(1, 1, Some(1));
    let page = status.metrics();
    for name in Meters::new(&names()).names() {
        let shown = |line: &str| {
            line.strip_prefix(name.as_str())
                .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        assert!(page.lines().any(shown), "{name} is not in\n{page}");
    }
    assert!(page.ends_with("# EOF\n"), "{page}");
    let strange = page
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("walbridge_"));
    assert_eq!(strange.count(), 0, "{page}");
}

#[test]
fn readiness_says_why_not() {
    let status = Status::new(names());
    let ready = |change: &dyn Fn(&mut crate::telemetry::Report)| {
        let mut report = status.report();
        change(&mut report);
        report.ready(60)
    };
    assert_eq!(ready(&|_| {}), Err("starting".to_owned()));
    status.restarted("sink", "cannot reach a broker");
    status.set_state(State::Retrying);
    assert_eq!(ready(&|_| {}), Err("retrying: cannot reach a broker".to_owned()));
    status.set_state(State::Waiting);
    assert_eq!(ready(&|report| report.lag_seconds = 1e6), Ok(()));
    status.set_state(State::Streaming);
    assert_eq!(
        ready(&|_| {}),
        Ok(()),
        "a stream that never told of a beat is not judged by it"
    );
    status.heard(Duration::ZERO);
    assert_eq!(ready(&|report| report.lag_seconds = 60.0), Ok(()));
    assert_eq!(
        ready(&|report| report.lag_seconds = 61.0),
        Err("61 s behind, more than 60".to_owned())
    );
    assert_eq!(
        ready(&|report| report.heard_seconds_ago = Some(91.0)),
        Err("the server said nothing for 91 s".to_owned())
    );
    assert_eq!(
        ready(&|report| report.beat_seconds_ago = 901.0),
        Err("stuck: no sign of life for 901 s".to_owned())
    );
    status.halted("the slot is lost");
    assert_eq!(ready(&|_| {}), Err("halted: the slot is lost".to_owned()));
}

#[test]
fn the_report_is_json_with_places_as_postgres_writes_them() {
    let status = Status::new(names());
    status.moved(0x16_B374_8000, 0x16_B374_8001);
    let json = serde_json::to_value(status.report()).expect("JSON");
    assert_eq!(json["position"]["durable_lsn"], "16/B3748000");
    assert_eq!(json["state"], "starting");
    assert_eq!(json["entities"][1]["entity"], "Customer");
    assert_eq!(json["events"][1]["topic"], "shop.order-events");
}
