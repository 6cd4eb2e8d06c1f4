//! Slots that are missing, held, somebody else's, lost, or elsewhere than the position: a halt, or a wait.

use crate::cluster::Cluster;
use crate::world::World;

/// One row published, then stopped.
fn carried(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    Some(world)
}

#[test]
fn a_slot_that_was_dropped_halts_and_is_not_made_again() {
    let Some(mut world) = carried("slot_missing") else {
        return;
    };
    let (slot, position) = (world.slot(), world.position());
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let ended = world.ended();
    let what = format!("the slot {slot} does not exist, and the position {position} refers to it");
    ended.says(1, "source.position_without_slot", &[&what, "hint: walbridge recover"]);
    assert_eq!(
        world.ask(&format!(
            "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'"
        )),
        "0"
    );
    assert_eq!(world.keys(), ["1"]);
    let checked = world.call("check", &[]);
    assert!(checked.code == 1 && checked.out.contains(&what), "{checked}");
    assert!(
        !checked.out.contains("setup --apply"),
        "a repair that is refused\n{checked}"
    );
    let refused = world.call("setup", &["--apply"]);
    refused.says_json(1, "source.position_without_slot", "walbridge recover");
}

#[test]
fn a_slot_ahead_of_the_position_halts() {
    let Some(mut world) = World::new("slot_ahead") else {
        return;
    };
    world.set_up();
    // Since before the position.
    let _open = world.keeps_log();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    let (slot, position) = (world.slot(), world.position());
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let moved = world.ask(&format!(
        "SELECT end_lsn FROM pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"
    ));
    let what = format!("it stands at {moved}, ahead of the position {position}");
    world
        .ended()
        .says(1, "source.slot_ahead", &[&what, "hint: walbridge recover"]);
    assert_eq!((world.keys(), world.position()), (vec!["1".to_owned()], position));
}

#[test]
fn a_slot_that_was_made_again_halts() {
    let Some(mut world) = carried("slot_again") else { return };
    let (slot, position) = (world.slot(), world.position());
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ));
    let what = format!("the slot {slot} was made again");
    world.ended().says(
        1,
        "source.slot_recreated",
        &[&what, &position.to_string(), "hint: walbridge recover"],
    );
    assert_eq!((world.keys(), world.position()), (vec!["1".to_owned()], position));
}

#[test]
fn a_slot_made_by_hand_needs_to_be_adopted() {
    let Some(mut world) = World::new("slot_adopt") else {
        return;
    };
    let slot = world.slot();
    world.run(&format!("CREATE PUBLICATION {slot} FOR TABLE item"));
    world.run(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ));
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    let before = world.ask(&confirmed(&slot));
    let ended = world.ended();
    ended.says(
        1,
        "source.slot_without_position",
        &[&format!("the slot {slot} stands at"), "walbridge setup --adopt"],
    );
    assert_eq!(world.ask(&confirmed(&slot)), before);
    let refused = world.call("setup", &["--apply"]);
    refused.says_json(1, "source.slot_without_position", "walbridge setup --adopt");
    let adopted = world.call("setup", &["--adopt"]);
    assert!(adopted.code == 0 && adopted.out.contains("first position"), "{adopted}");
    world.carry(1);
    world.holds(&["1"]);
}

#[test]
fn the_slot_of_another_bridge_is_not_adopted() {
    let Some(mut world) = carried("slot_theirs") else {
        return;
    };
    let (slot, name) = (world.slot(), world.name.clone());
    let of_another = |text: String| {
        let text = text.replace(&format!("name = \"{name}\""), &format!("name = \"{name}_two\""));
        text.replace("\n[source]", &format!("\n[source]\nslot = \"{slot}\""))
            .replace(".items", ".items_two")
    };
    world.configure(of_another);
    let before = world.ask(&confirmed(&slot));
    for how in ["--apply", "--adopt"] {
        let refused = world.call("setup", &[how]);
        refused.says_json(1, "source.slot_of_another", "another `slot` in [source]");
    }
    assert_eq!(world.ask(&confirmed(&slot)), before);
    world.configure(|text| text);
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.carry(2);
}

#[test]
fn a_set_up_that_is_repeated_says_what_a_start_would_say() {
    let Some(mut world) = carried("slot_repeated") else {
        return;
    };
    assert!(
        world
            .call("setup", &["--apply"])
            .out
            .contains("all of it is there already")
    );
    let slot = world.slot();
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ));
    let said = world.call("setup", &["--apply"]);
    said.says_json(1, "source.slot_recreated", "walbridge recover");
    world.ended().says(1, "source.slot_recreated", &["walbridge recover"]);
}

fn confirmed(slot: &str) -> String {
    format!("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'")
}

#[test]
fn a_slot_of_another_plugin_or_database_is_left_alone() {
    let Some(mut world) = World::new("slot_other") else {
        return;
    };
    let slot = world.slot();
    world.run(&format!("CREATE PUBLICATION {slot} FOR TABLE item"));
    world.run(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"
    ));
    let repair = "hint: name another `slot` in [source], then: walbridge setup --apply";
    world.ended().says(
        1,
        "source.slot_plugin",
        &[&format!("the slot {slot} uses test_decoding"), repair],
    );
    assert_eq!(world.call("setup", &["--apply"]).code, 1);

    let Some(other) = World::new("slot_others") else { return };
    other.set_up();
    let (theirs, name) = (other.slot(), world.name.clone());
    let line = format!("\n[source]\nslot = \"{theirs}\"");
    world.configure(|text| text.replace("\n[source]", &line));
    let what = format!(
        "the slot {theirs} belongs to the database {}, not to {name}",
        other.name
    );
    world.ended().says(1, "source.slot_database", &[&what, repair]);
}

#[test]
fn a_bridge_that_cannot_reach_kafka_leaves_the_slot_to_one_that_can() {
    let Some(mut world) = World::new("leaves_slot") else {
        return;
    };
    world.set_up();
    let broker = world.broker.address.clone();
    world.configure(|text| text.replace(&broker, "127.0.0.1:1"));
    let mut first = world.start();
    first.await_word("Connection refused");
    let held = "SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = ";
    let held = format!("{held}'{}'", world.slot());
    assert_eq!(world.ask(&held), "0");
    world.configure(|text| text);
    let mut second = world.start();
    second.await_ready("streaming");
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.await_records(1);
    assert!(first.readiness().starts_with("HTTP/1.1 503"), "{}", first.readiness());
    assert_eq!(first.stop().code, 0);
    assert_eq!(second.stop().code, 0);
}

#[test]
fn a_second_bridge_waits_ready_and_takes_over() {
    let Some(mut world) = World::new("slot_held") else {
        return;
    };
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    let mut first = world.start();
    first.await_ready("streaming");
    let mut second = world.start();
    second.await_ready("waiting");
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.await_records(2);
    drop(first);
    second.await_ready("streaming");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30)");
    world.await_records(3);
    assert_eq!(second.stop().code, 0);
    world.holds(&["1", "2", "3"]);
}

#[test]
fn a_lost_slot_halts_and_says_which_changes_are_gone() {
    let Some(cluster) = Cluster::new("max_slot_wal_keep_size=1MB\nmin_wal_size=32MB\nmax_wal_size=32MB", "") else {
        return;
    };
    let Some(mut world) = World::on(&cluster.url(), "slot_lost", "") else {
        return;
    };
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    let position = world.position();
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    for _ in 0..6 {
        world.run("CREATE TABLE filler AS SELECT 1; DROP TABLE filler; SELECT pg_switch_wal()");
    }
    world.run("CHECKPOINT");
    let slot = world.slot();
    let ended = world.ended();
    ended.says(
        1,
        "source.slot_lost",
        &[&format!("the slot {slot} is lost"), "hint: walbridge recover"],
    );
    assert!(ended.err.contains("changes committed from"), "{ended}");
    assert_eq!((world.keys(), world.position()), (vec!["1".to_owned()], position));
}
