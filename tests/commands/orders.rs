//! What an operator orders: check, setup, run, and words that are none.

use std::time::Duration;

use crate::world::line::{finished, until};
use crate::world::{World, program};

/// A finding of `check --format json`.
fn finding(document: &str, code: &str) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let all = document["findings"].as_array().unwrap();
    let one = all.iter().find(|finding| finding["code"] == code);
    one.unwrap_or_else(|| panic!("no {code}: {document:#}")).clone()
}

#[test]
fn check_tells_by_its_exit_code_what_is_wrong() {
    let Some(mut world) = World::new("check") else { return };
    let before = world.call("check", &["--format", "json"]);
    assert_eq!(before.code, 1, "{before}");
    for code in ["source.slot_missing", "source.publication_missing"] {
        let one = finding(&before.out, code);
        assert_eq!(
            (&one["severity"], &one["cause"]),
            (&"error".into(), &"surroundings".into())
        );
        assert_eq!(one["repair"], "walbridge setup --apply -c FILE");
    }
    assert!(!world.broker.has(&world.topic()), "check made a topic");
    let slots = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE database = '{}'",
        world.name
    );
    assert_eq!(world.ask(&slots), "0");

    world.set_up();
    let good = world.call("check", &["--format", "json"]);
    assert_eq!(good.code, 0, "{good}");
    let document: serde_json::Value = serde_json::from_str(&good.out).unwrap();
    assert_eq!(document["errors"], 0, "{good}");
    assert!(document["warnings"].as_i64().is_some_and(|count| count > 0), "{good}");

    world.configure(|text| text.replace("label = \"lbl\"", "label = \"lbel\""));
    let wrong = world.call("check", &["--format", "json"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    let document: serde_json::Value = serde_json::from_str(&wrong.out).unwrap();
    let one = &document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["cause"] == "config")
        .unwrap()
        .clone();
    assert!(
        one["what"].as_str().unwrap().contains("lbel") && one["line"].as_i64() == Some(28),
        "{one:#}"
    );
    let shown = world.call("check", &[]);
    assert!(
        shown.code == 2 && shown.out.contains("^") && shown.out.contains("label = \"lbel\""),
        "{shown}"
    );
    let started = world.ended();
    assert_eq!(started.code, 2, "{started}");
    started.shows("label = \"lbel\"");
}

#[test]
fn check_offline_needs_no_server() {
    let Some(world) = World::new("offline") else { return };
    let (address, url) = (world.broker.address.clone(), world.url());
    let away = |text: String| {
        text.replace(&address, "127.0.0.1:1")
            .replace(&url, "postgresql://u@127.0.0.1:1/d")
    };
    world.configure(away);
    let done = world.call("check", &["--offline"]);
    assert_eq!(done.code, 0, "{done}");
    assert!(done.out.contains("entities 1, tables 1: 0 errors"), "{done}");
    world.configure(|text| away(text).replace("state_topic", "state_topics"));
    let wrong = world.call("check", &["--offline"]);
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(
        wrong.out.contains("bridge.toml:23") && wrong.out.contains('^') && wrong.out.contains("state_topic"),
        "{wrong}"
    );
    world.configure(away);
    let online = world.call("check", &[]);
    assert!(
        online.code == 1 && online.out.contains("hint: correct `url` in [source]"),
        "{online}"
    );
}

#[test]
fn setup_is_shown_without_a_server() {
    let Some(world) = World::new("shown") else { return };
    let (address, url) = (world.broker.address.clone(), world.url());
    world.configure(|text| {
        text.replace(&address, "127.0.0.1:1")
            .replace(&url, "postgresql://u@127.0.0.1:1/d")
    });
    let shown = world.call("setup", &[]);
    assert_eq!(shown.code, 0, "{shown}");
    let name = world.slot();
    for part in [
        "The database could not be looked at",
        &format!("CREATE PUBLICATION \"{name}\""),
        &format!("pg_create_logical_replication_slot('{name}', 'pgoutput'"),
        &format!("{}: partitions 2, replication 1, compacted", world.topic()),
        &world.position_topic(),
    ] {
        assert!(shown.out.contains(part), "{part}\n{shown}");
    }
    let applied = world.call("setup", &["--apply"]);
    assert_eq!(applied.code, 3, "{applied}");
    assert!(applied.err.contains("run it again"), "{applied}");
}

#[test]
fn setup_applied_twice_does_nothing_the_second_time() {
    let Some(mut world) = World::new("twice") else { return };
    let first = world.call("setup", &["--apply"]);
    assert!(first.code == 0 && first.out.contains("first position: "), "{first}");
    let (position, slot) = (world.position(), world.slot());
    let look = format!(
        "SELECT confirmed_flush_lsn || ' ' || pg_current_wal_lsn() FROM pg_replication_slots WHERE slot_name = '{slot}'"
    );
    let before = world.ask(&look);
    for how in ["--apply", "--adopt"] {
        let second = world.call("setup", &[how]);
        assert!(
            second.code == 0 && second.out.contains("all of it is there already"),
            "{second}"
        );
    }
    assert!(world.call("setup", &[]).out.contains("all of it is there already"));
    assert_eq!(world.position(), position);
    let (slot_before, _) = before.split_once(' ').unwrap();
    assert!(world.ask(&look).starts_with(slot_before));
    assert_eq!(world.broker.committed(&world.position_topic()).len(), 1);
}

#[test]
fn a_stop_in_a_giant_transaction_is_heard_and_all_of_it_comes_once() {
    const ROWS: usize = 1_000_000;
    let Some(mut world) = World::new("giant") else { return };
    world.configure(|text| text.replace("partitions = 2", "partitions = 1"));
    world.set_up();
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.run(&format!(
        "INSERT INTO item SELECT n, 'N', NULL, n FROM generate_series(1, {ROWS}) n"
    ));
    // Far enough that much of it lies in the open Kafka transaction, and not near its end.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(bridge.stop().code, 0);
    world.holds(&[]);
    let bridge = world.start();
    until("the giant is there", || !world.broker.is_empty(&world.topic()));
    assert_eq!(bridge.stop().code, 0);
    let keys = world.keys();
    assert_eq!(keys.len(), ROWS);
    assert!(
        keys.iter().zip(1..).all(|(key, n)| key.parse() == Ok(n)),
        "a row is missing or doubled"
    );
}

#[test]
fn versions_are_told_and_words_that_are_none_refused() {
    let version = finished(program().arg("--version"));
    assert_eq!(version.code, 0, "{version}");
    for part in [env!("CARGO_PKG_VERSION"), "librdkafka ", "OpenSSL ", "rustls "] {
        assert!(version.out.contains(part), "{part}\n{version}");
    }
    for words in [
        &["carry"][..],
        &["run"],
        &["run", "-c"],
        &["check", "--format", "yaml", "-c", "x"],
        &[],
    ] {
        let refused = finished(program().args(words));
        assert_eq!(refused.code, 2, "{words:?}: {refused}");
        assert!(
            refused.err.contains("Usage: ") || refused.err.contains("--help"),
            "{words:?}: {refused}"
        );
    }
    let refused = finished(program().args(["run", "-c", "/nowhere/bridge.toml"]));
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.err.contains("/nowhere/bridge.toml"), "{refused}");
    let near = finished(program().args(["chekc", "-c", "x"]));
    assert!(near.code == 2 && near.err.contains("'check'"), "{near}");
}
