//! `preview`: what would be told, without Kafka and without a trace in the database.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::cluster::Cluster;
use crate::world::World;
use crate::world::line::until;
use crate::world::program;

/// As it is before anybody set anything up, and with no Kafka that could be reached.
fn alone(test: &str) -> Option<World> {
    let world = World::new(test)?;
    world.configure(|text| {
        let (before, rest) = text.split_once("brokers = \"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        format!("{before}brokers = \"127.0.0.1:1\"{after}")
    });
    Some(world)
}

/// Slots and publications of the server and the database.
fn traces(world: &mut World) -> i64 {
    let count = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) \
         + (SELECT count(*) FROM pg_publication)";
    world.admin.one(count, &[]).unwrap().get(0)
}

/// Waits until it follows: a slot is to be seen before it is known from where it tells.
fn follows(world: &mut World) {
    let streaming = "SELECT count(*) FROM pg_replication_slots JOIN pg_stat_replication ON pid = active_pid \
         WHERE database = current_database() AND state = 'streaming'";
    until("the preview to follow", || {
        world.admin.one(streaming, &[]).unwrap().get::<_, i64>(0) == 1
    });
}

#[test]
fn rows_are_shown_as_they_would_be_told() {
    let Some(mut world) = alone("preview_rows") else { return };
    world.run("INSERT INTO item SELECT n, 'P', 'it''s \"' || n, n FROM generate_series(1, 9) n");
    let shown = world.call("preview", &["--limit", "3"]);
    assert_eq!(shown.code, 0, "{shown}");
    let lines: Vec<serde_json::Value> = shown
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{shown}");
    for (at, line) in lines.iter().enumerate() {
        let number = at + 1;
        assert_eq!(line["topic"], format!("{}.items", world.name));
        assert_eq!(line["key"], number.to_string());
        assert_eq!(line["value"]["type"], "Item");
        let data = serde_json::json!({
            "number": number, "status": "paid", "label": format!("it's \"{number}"), "amount": number,
        });
        assert_eq!(line["value"]["data"], data);
    }
    assert!(shown.err.contains("Item: 3 rows of public.item, 3 records"), "{shown}");
    assert_eq!(traces(&mut world), 0);
}

#[test]
fn an_entity_whose_rows_are_not_found_in_time_does_not_end_the_others() {
    let Some(mut world) = alone("preview_rare") else { return };
    world.run("INSERT INTO item SELECT n, 'P', 'l', n FROM generate_series(1, 3) n; CREATE TABLE slow (id int PRIMARY KEY, n int)");
    world.run("INSERT INTO slow VALUES (1, 1)");
    let mut other = world.another_session();
    let rare = "[entity.Rare]\ntable = \"public.slow\"\nwhere = \"n > 5\"\nkey = \"id\"\nstate_topic = \"rare\"\n\
        [entity.Rare.fields]\nid = \"id\"\n";
    world.configure(|text| {
        let (before, item) = text.split_once("[entity.Item]").unwrap();
        format!("{before}{rare}[entity.Item]{item}")
    });
    other
        .run("BEGIN; LOCK TABLE public.slow IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let shown = world.call("preview", &["--look-seconds", "1"]);
    other.run("ROLLBACK").unwrap();
    assert_eq!(shown.code, 1, "{shown}");
    assert_eq!(shown.out.lines().count(), 3, "{shown}");
    assert!(shown.err.contains("too few rows of Rare were found in 1 s"), "{shown}");
    assert!(
        shown.err.contains("--limit 1 --look-seconds 10") && !shown.err.contains("run it again"),
        "{shown}"
    );
}

#[test]
fn a_row_that_cannot_be_told_is_said_and_the_others_are_shown() {
    let Some(mut world) = alone("preview_poison") else {
        return;
    };
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1), (2, '?', 'two', 2), (3, 'P', 'three', 3)");
    let shown = world.call("preview", &["--from-tables"]);
    assert_eq!(shown.code, 1, "{shown}");
    assert_eq!(shown.out.lines().count(), 2, "{shown}");
    assert!(
        shown
            .err
            .contains("Item: 3 rows of public.item, 2 records, 1 cannot be told"),
        "{shown}"
    );
    assert!(shown.err.contains("a code that is not listed"), "{shown}");
}

#[test]
fn changes_are_shown_as_they_come_and_nothing_stays() {
    let Some(mut world) = alone("preview_live") else { return };
    let refused = world.call("preview", &["--live", "--limit", "1"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.err.contains("--as postgresql://"), "{refused}");
    let url = world.url();
    let mut program = program();
    program
        .args(["preview", "--live", "--limit", "3", "--as", &url, "-c"])
        .arg(world.config());
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    follows(&mut world);
    assert_eq!(traces(&mut world), 2);
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1)");
    world.run("UPDATE item SET st = 'P'");
    world.run("DELETE FROM item");
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .collect();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let documents: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = documents
        .iter()
        .map(|one| one["value"]["data"]["status"].as_str())
        .collect();
    assert_eq!(statuses, [Some("new"), Some("paid"), None]);
    assert!(documents[2]["value"].is_null());
    assert_eq!(documents[2]["headers"]["ce_type"], "Item");
    assert_eq!(traces(&mut world), 0);
}

#[test]
fn the_configs_own_publication_is_used_where_it_is_there() {
    let Some(mut world) = alone("preview_own") else { return };
    let publication = format!("CREATE PUBLICATION walbridge_{} FOR TABLE item", world.name);
    world.run(&publication);
    let mut program = program();
    program
        .args(["preview", "--live", "--limit", "1", "-c"])
        .arg(world.config());
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    follows(&mut world);
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1)");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert!(String::from_utf8_lossy(&ended.stdout).contains(r#""key":"1""#));
    assert_eq!(traces(&mut world), 1);
}

#[test]
fn who_keeps_the_stream_from_beginning_is_named() {
    // A server of its own: on every database of it an open transaction holds a new slot up.
    let Some(cluster) = Cluster::new("", "") else { return };
    let Some(mut world) = World::on(&cluster.url(), "preview_blocked", "") else {
        return;
    };
    let mut holds = world.another_session();
    holds.run("BEGIN; CREATE TABLE public.stays_open ()").unwrap();
    let url = world.url();
    let shown = world.call("preview", &["--live", "--limit", "1", "--as", &url]);
    assert_eq!(shown.code, 1, "{shown}");
    assert!(shown.err.contains("source.slot_blocked"), "{shown}");
    assert!(shown.err.contains("open transactions: process "), "{shown}");
    assert_eq!(traces(&mut world), 0);
}
