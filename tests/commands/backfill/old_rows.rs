//! Rows that were there before the set-up are told once, as states, on the road of the changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::world::World;
use crate::world::line::until;

fn telling(text: String) -> String {
    text.replace("on_start = false", "on_start = true\nrows_per_chunk = 50")
}

/// A world whose table holds so many rows before anything is set up.
fn with_rows(test: &str, rows: usize) -> Option<World> {
    let mut world = World::new(test)?;
    world.run(&format!(
        "INSERT INTO item SELECT n, 'N', 'row ' || n, n FROM generate_series(1, {rows}) n"
    ));
    world.configure(telling);
    world.set_up();
    Some(world)
}

/// Values by key as a consumer that folds the topic holds them, and which keys were told as old rows, in order.
fn folded(world: &World) -> (BTreeMap<String, Value>, Vec<String>) {
    let (mut copy, mut old) = (BTreeMap::new(), Vec::new());
    for (key, value) in world.broker.committed(&world.topic()) {
        if value.is_empty() {
            copy.remove(&key);
            continue;
        }
        let value: Value = serde_json::from_str(&value).unwrap();
        if value["origin"] == "backfill" {
            assert_eq!((&value["type"], &value["generation"]), (&"Item".into(), &1.into()));
            old.push(key.clone());
        }
        copy.insert(key, value["data"].clone());
    }
    (copy, old)
}

/// The same by asking the table.
fn table(world: &mut World) -> BTreeMap<String, Value> {
    let asked = world.ask(
        "SELECT coalesce(json_object_agg(id, json_build_object('number', id, 'status', CASE st WHEN 'N' THEN 'new' \
         ELSE 'paid' END, 'label', lbl, 'amount', amt)), '{}') FROM item",
    );
    serde_json::from_str(&asked).unwrap()
}

/// How far the stored position says that an entity's old rows are told.
fn standing(world: &World, entity: &str) -> Value {
    let stored = world.broker.committed(&world.position_topic());
    let stored: Value = serde_json::from_str(&stored.last().expect("a position").1).unwrap();
    stored["backfill"]["entities"][entity]["standing"].clone()
}

fn await_complete(world: &World, entity: &str) {
    until("all old rows are told", || standing(world, entity) == "complete");
}

#[test]
fn rows_that_were_there_before_are_told_once() {
    let Some(mut world) = with_rows("old_rows", 120) else {
        return;
    };
    world.run("UPDATE item SET st = 'P' WHERE id = 7; DELETE FROM item WHERE id = 8");
    let bridge = world.start();
    await_complete(&world, "Item");
    world.run("INSERT INTO item VALUES (200, 'N', 'new', 1)");
    until("the change is told", || folded(&world).0.contains_key("200"));
    assert_eq!(bridge.stop().code, 0);
    let (copy, old) = folded(&world);
    assert_eq!(copy, table(&mut world));
    assert_eq!(old.len(), 119, "the table's rows when it was read");
    let records = world.broker.committed(&world.topic()).len();
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (201, 'N', 'newer', 1)");
    until("the change is told", || folded(&world).0.contains_key("201"));
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(
        world.broker.committed(&world.topic()).len(),
        records + 1,
        "nothing is told again"
    );
    let later = "\n[entity.Label]\ntable = \"public.item\"\nkey = \"number\"\nstate_topic = \"@NAME@.labels\"\n\
                 [entity.Label.fields]\nnumber = \"id\"\nlabel = \"lbl\"\n";
    let later = later.replace("@NAME@", &world.name);
    world.configure(|text| telling(text) + &later);
    let bridge = world.start();
    await_complete(&world, "Label");
    assert_eq!(bridge.stop().code, 0);
    let labels = world.broker.committed(&format!("{}.labels", world.name));
    assert_eq!(labels.len(), 121, "an entity that is declared later is told");
    assert_eq!(
        world.broker.committed(&world.topic()).len(),
        records + 1,
        "and the others are not"
    );
}

#[test]
fn old_rows_meet_changes_and_kills_and_the_copy_is_the_table() {
    let Some(mut world) = with_rows("old_kills", 3_000) else {
        return;
    };
    // So slowly that its middle is met on any machine.
    let slowly = "rows_per_chunk = 50\nmax_rows_per_second = 1000";
    world.configure(|text| telling(text).replace("rows_per_chunk = 50", slowly));
    let (mut admin, slot) = (world.another_session(), world.slot());
    let (told, ends) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut number = 0_u32;
        while ends.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            number += 1;
            let id = number.wrapping_mul(7_919) % 3_200 + 1;
            let change = match number % 5 {
                0 => format!("DELETE FROM public.item WHERE id = {id}"),
                1 => format!("INSERT INTO public.item VALUES ({id}, 'N', 'again', {number}) ON CONFLICT DO NOTHING"),
                // Tells nothing: no published field differs.
                2 => format!("UPDATE public.item SET lbl = lbl WHERE id = {id}"),
                3 => format!(
                    "UPDATE public.item i SET id = id + 10000 WHERE id = {id} AND NOT EXISTS (SELECT FROM public.item o \
                     WHERE o.id = i.id + 10000); UPDATE public.item i SET id = id - 10000 WHERE id > 10000 AND id % 31 = {} \
                     AND NOT EXISTS (SELECT FROM public.item o WHERE o.id = i.id - 10000)",
                    id % 31
                ),
                _ => format!("UPDATE public.item SET st = 'P', amt = {number} WHERE id = {id}"),
            };
            admin.run(&change).unwrap();
            if number.is_multiple_of(2_000) {
                // A connection that breaks: the bridge begins again from the stored position, in the same process.
                admin
                    .run(&format!(
                        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{slot}'"
                    ))
                    .unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let mut in_between = 0;
    for _ in 0..4 {
        let (before, bridge) = (standing(&world, "Item"), world.start());
        until("old rows are told", || {
            let now = standing(&world, "Item");
            now != before || now == "complete"
        });
        // Killed.
        drop(bridge);
        let standing = standing(&world, "Item");
        in_between += usize::from(standing["after"].is_array());
    }
    assert!(in_between > 0, "no kill in the middle");
    let bridge = world.start();
    await_complete(&world, "Item");
    told.send(()).unwrap();
    writer.join().unwrap();
    world.run("INSERT INTO item VALUES (99999, 'N', 'last', 1)");
    until("the last change is told", || folded(&world).0.contains_key("99999"));
    assert_eq!(bridge.stop().code, 0);
    let (copy, old) = folded(&world);
    assert_eq!(copy, table(&mut world));
    let distinct: BTreeSet<&String> = old.iter().collect();
    assert_eq!(distinct.len(), old.len(), "an old row is told twice");
    assert!(old.len() > 1_000, "{} old rows", old.len());
}

#[test]
fn rows_that_cannot_be_read_now_are_read_later_and_the_stream_is_left_alone() {
    let Some(mut world) = with_rows("old_locked", 300) else {
        return;
    };
    world.configure(|text| telling(text).replace("rows_per_chunk", "max_snapshot_seconds = 1\nrows_per_chunk"));
    let mut other = world.another_session();
    other
        .run("BEGIN READ WRITE; LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let mut bridge = world.start();
    bridge.await_word("cannot read old rows: tries again");
    assert_eq!(standing(&world, "Item"), serde_json::json!({"after": null}));
    other.run("COMMIT").unwrap();
    await_complete(&world, "Item");
    assert!(!bridge.said().contains("begins again"), "{}", bridge.said());
    assert_eq!(bridge.stop().code, 0);
    let (copy, old) = folded(&world);
    assert_eq!((copy, old.len()), (table(&mut world), 300));
}

#[test]
fn rows_that_the_role_may_not_see_are_an_error_of_check_with_its_repair() {
    let Some(mut world) = with_rows("old_hidden", 3) else {
        return;
    };
    let (role, url) = (format!("r_{}", world.name), world.url());
    let (_, address) = url.split_once("://").unwrap();
    let host = address.split_once('@').map_or(address, |(_, host)| host);
    world.configure(|text| telling(text).replace(&url, &format!("postgresql://{role}@{host}")));
    world.run(&format!(
        "CREATE ROLE {role} LOGIN REPLICATION; GRANT pg_read_all_stats TO {role}"
    ));
    world.run("CREATE POLICY narrow ON item USING (id < 2); ALTER TABLE item ENABLE ROW LEVEL SECURITY");
    for (code, repair) in [
        (
            "source.select",
            format!("GRANT SELECT ON \"public\".\"item\" TO \"{role}\";"),
        ),
        ("source.row_security", format!("ALTER ROLE \"{role}\" BYPASSRLS;")),
    ] {
        let checked = world.call("check", &["--format", "json"]);
        let told: Value = serde_json::from_str(&checked.out).unwrap();
        let found = told["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["code"] == code);
        let found = found.unwrap_or_else(|| panic!("no {code}: {checked}"));
        let says = found["repair"].as_str().unwrap();
        assert!(
            checked.code == 1 && found["severity"] == "error" && says.contains(&repair),
            "{found}"
        );
        world.run(&repair);
    }
    let checked = world.call("check", &[]);
    assert_eq!(checked.code, 0, "{checked}");
    let bridge = world.start();
    await_complete(&world, "Item");
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(&world).1.len(), 3);
}

#[test]
fn a_table_that_is_altered_in_the_middle_is_told_by_its_new_type() {
    let Some(mut world) = with_rows("old_altered", 2_000) else {
        return;
    };
    // So slowly that its middle is met on any machine.
    let slowly = "rows_per_chunk = 10\nmax_rows_per_second = 200";
    world.configure(|text| telling(text).replace("rows_per_chunk = 50", slowly));
    let bridge = world.start();
    until("old rows are told", || standing(&world, "Item")["after"].is_array());
    world.run("ALTER TABLE item ALTER amt TYPE text");
    await_complete(&world, "Item");
    assert_eq!(bridge.stop().code, 0);
    let (copy, old) = folded(&world);
    assert_eq!((copy.len(), old.len()), (2_000, 2_000));
    let text = |value: &&Value| value["amount"].is_string();
    assert!(
        copy.values().any(|value| value["amount"].is_number()),
        "some were told before"
    );
    assert!(copy.values().filter(text).count() > 10, "the others after it");
}

#[test]
fn old_rows_of_a_table_altered_before_are_told_when_the_log_has_passed_that_though_nothing_follows() {
    let Some(mut world) = with_rows("old_passed", 120) else {
        return;
    };
    // The log has a change of the former type; behind it are none.
    world.run("UPDATE item SET amt = 0 WHERE id = 7");
    world.run("ALTER TABLE item ALTER amt TYPE int8");
    let bridge = world.start();
    await_complete(&world, "Item");
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(&world).0, table(&mut world));
}

#[test]
fn markers_say_in_each_partition_where_a_telling_begins_and_ends() {
    let Some(mut world) = with_rows("markers", 120) else {
        return;
    };
    world.configure(|text| telling(text).replace("rows_per_chunk", "markers = true\nrows_per_chunk"));
    // Killed in the middle: the beginning is not told again.
    let bridge = world.start();
    until("old rows are told", || {
        standing(&world, "Item") != Value::Null && standing(&world, "Item")["after"] != Value::Null
            || standing(&world, "Item") == "complete"
    });
    drop(bridge);
    let bridge = world.start();
    await_complete(&world, "Item");
    assert_eq!(bridge.stop().code, 0);
    let (mut phases, mut rows, mut last) = (Vec::new(), 0, String::new());
    for (key, value) in world.broker.committed(&world.topic()) {
        let value: Value = serde_json::from_str(&value).unwrap();
        let sequence = value["sequence"].as_str().unwrap().to_owned();
        if key == "Item.backfill" {
            assert_eq!(
                (&value["type"], &value["subject"]),
                (&"Item.backfill".into(), &"Item".into())
            );
            let (phase, data) = (value["data"]["phase"].as_str().unwrap().to_owned(), &value["data"]);
            assert_eq!(data["generation"], 1);
            if phase == "begun" {
                assert_eq!((&data["where"], &data["reconcile"]), (&false.into(), &false.into()));
                // The next partition.
                last.clear();
            } else {
                assert_eq!(data["rows"], 120);
            }
            phases.push(phase);
        } else {
            rows += 1;
            assert_eq!(
                phases.last().map(String::as_str),
                Some("begun"),
                "a row outside of the two"
            );
        }
        assert!(sequence > last, "{sequence} after {last}");
        last = sequence;
    }
    assert_eq!(phases, ["begun", "complete", "begun", "complete"], "two partitions");
    assert_eq!(rows, 120);
    world.run("INSERT INTO item VALUES (900, 'N', 'new', 1)");
    let bridge = world.start();
    until("the change is told", || world.keys().contains(&"900".to_owned()));
    assert_eq!(bridge.stop().code, 0);
    let all = world.broker.committed(&world.topic());
    assert_eq!(
        all.iter().filter(|(key, _)| key == "Item.backfill").count(),
        4,
        "told once"
    );
}

#[test]
fn several_readers_tell_each_row_once_and_leave_a_database_alone_that_suffers() {
    let Some(mut world) = with_rows("old_readers", 3_000) else {
        return;
    };
    world.configure(|text| telling(text).replace("rows_per_chunk", "readers = 3\nrows_per_chunk"));
    let (mut holds, mut waits) = (world.another_session(), world.another_session());
    let change = "UPDATE public.item SET lbl = 'wanted by two' WHERE id = 1";
    holds.run("BEGIN READ WRITE").unwrap();
    holds.run(change).unwrap();
    waits.run("SET application_name = 'shop'").unwrap();
    let waiting = std::thread::spawn(move || waits.run(change).unwrap());
    std::thread::sleep(Duration::from_secs(2));
    let mut bridge = world.start();
    bridge.await_word("the legacy database suffers");
    world.run("UPDATE item SET lbl = 'later' WHERE id % 7 = 0 AND id > 1; DELETE FROM item WHERE id % 11 = 0");
    holds.run("COMMIT").unwrap();
    waiting.join().unwrap();
    bridge.await_word("the legacy database is at ease again");
    await_complete(&world, "Item");
    world.run("INSERT INTO item VALUES (99999, 'N', 'last', 1)");
    until("the last change is told", || folded(&world).0.contains_key("99999"));
    assert_eq!(bridge.stop().code, 0);
    let (copy, old) = folded(&world);
    assert_eq!(copy, table(&mut world));
    let distinct: BTreeSet<&String> = old.iter().collect();
    assert_eq!(distinct.len(), old.len(), "an old row is told twice");
    assert!(old.len() > 2_000, "{} old rows", old.len());
}
