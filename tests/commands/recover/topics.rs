//! Topics that are no longer as they were: what they lost is told again, and no change of the source is lost.

use std::collections::BTreeSet;

use crate::recover::{await_generation, events, folded, gaps, stored, table, told, with_events};
use crate::world::World;
use crate::world::line::until;

/// Something happens to a topic while the bridge is down, and the application goes on.
fn recovered(world: &mut World, code: &str, breaks: impl FnOnce(&World)) {
    breaks(world);
    world.run("INSERT INTO item VALUES (101, 'N', 'meanwhile', 1); DELETE FROM item WHERE id = 5");
    world.ended().says(1, code, &["hint: walbridge recover -c FILE: it "]);
    let slot = world.slot();
    let made = format!(
        "SELECT oid || ' ' || catalog_xmin FROM pg_replication_slots JOIN pg_database ON datname = database WHERE slot_name = '{slot}'"
    );
    let (before, position) = (world.ask(&made), world.position());
    let asked = world.call("recover", &[]);
    asked.says_json(1, "recover.unconfirmed", "--yes");
    assert!(asked.out.contains("no change of the source is lost"), "{asked}");
    let done = world.call("recover", &["--yes"]);
    assert!(
        done.code == 0 && done.out.contains(&format!("Epoch 1 goes on at {position}")),
        "{done}"
    );
    assert_eq!((world.ask(&made), world.position()), (before, position));
}

/// The change of meanwhile is told, as an event and as a state.
fn carried_on(world: &mut World, generation: u64) {
    let bridge = world.start();
    await_generation(world, generation);
    until("the change is told", || folded(world).contains_key("101"));
    assert_eq!(bridge.stop().code, 0);
    let told = events(world);
    let meanwhile = told.iter().filter(|event| event["data"]["number"] == 101);
    assert_eq!(meanwhile.count(), 1, "{told:?}");
    assert_eq!(stored(world)["epoch"], 1);
}

#[test]
fn a_state_topic_that_is_lost_or_made_again_is_filled_again() {
    let Some(world) = World::new("recover_states") else {
        return;
    };
    let mut world = told(world);
    let topic = world.topic();
    recovered(&mut world, "kafka.topic_lost", |world| world.broker.remove(&topic));
    carried_on(&mut world, 2);
    assert_eq!(folded(&world), table(&mut world));
    world.run("DELETE FROM item WHERE id = 101");
    let before = stored(&world)["topic_ids"][&topic].clone();
    recovered(&mut world, "kafka.topic_made_again", |world| {
        world.broker.make_again(&topic, 4);
    });
    let bridge = world.start();
    await_generation(&world, 3);
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(&world), table(&mut world));
    assert_ne!(stored(&world)["topic_ids"][&topic], before);
    assert_eq!(gaps(&world).len(), 0, "event topics have all that they had");
}

#[test]
fn what_is_recovered_is_not_recovered_a_second_time() {
    let Some(world) = World::new("recover_twice") else {
        return;
    };
    let mut world = told(world);
    let topic = world.topic();
    recovered(&mut world, "kafka.topic_lost", |world| world.broker.remove(&topic));
    let (slot, before) = (world.slot(), stored(&world));
    let again = world.call("recover", &["--yes"]);
    assert!(again.code == 0 && again.out.contains("is recovered already"), "{again}");
    assert_eq!(stored(&world), before);
    carried_on(&mut world, 2);
    // A new epoch likewise.
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    assert_eq!(world.call("recover", &["--yes"]).code, 0);
    let before = stored(&world);
    world.run("INSERT INTO item VALUES (301, 'N', 'unread', 1)");
    assert_eq!(world.call("recover", &["--yes"]).code, 0);
    assert_eq!(stored(&world), before);
    let bridge = world.start();
    until("the change is told", || {
        events(&world).iter().any(|event| event["data"]["number"] == 301)
    });
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_lost_topic_that_may_not_be_made_is_said_to_be_lost() {
    let Some(world) = World::new("recover_check") else {
        return;
    };
    let world = told(world);
    world.broker.remove(&world.topic());
    world.configure(|text| with_events(text).replace("[kafka.topics]", "[kafka.topics]\ncreate = false"));
    let checked = world.call("check", &["--format", "json"]);
    assert!(checked.out.contains("kafka.topic_lost"), "{checked}");
    assert!(!checked.out.contains("kafka.topic_missing"), "{checked}");
    world.ended().says(1, "kafka.topic_lost", &[]);
}

#[test]
fn an_event_topic_that_is_made_again_says_that_it_begins_there() {
    let Some(world) = World::new("recover_events") else {
        return;
    };
    let mut world = told(world);
    let topic = format!("{}.events", world.name);
    recovered(&mut world, "kafka.topic_made_again", |world| {
        world.broker.make_again(&topic, 2);
    });
    carried_on(&mut world, 1);
    let gap = serde_json::json!({
        "from": null, "to": gaps(&world)[0]["to"], "epoch": 1, "reason": "kafka.topic_made_again"
    });
    assert_eq!(gaps(&world), [gap]);
    assert_eq!(
        events(&world)[0]["type"],
        "Item.gap",
        "it comes before what is told from there on"
    );
    assert_eq!(folded(&world), table(&mut world));
}

#[test]
fn a_key_that_moves_to_another_partition_is_not_taken_for_gone() {
    let Some(world) = World::new("recover_wider") else {
        return;
    };
    let mut world = told(world);
    world.broker.widen(&world.topic(), 5);
    world.run("DELETE FROM item WHERE id > 50");
    recovered(&mut world, "kafka.partitions_changed", |_| {});
    let bridge = world.start();
    await_generation(&world, 2);
    assert_eq!(bridge.stop().code, 0);
    let read = world.broker.committed(&world.topic());
    let gone: BTreeSet<&String> = read
        .iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(key, _)| key)
        .collect();
    let rows = table(&mut world);
    let wrong: Vec<_> = gone.iter().filter(|key| rows.contains_key(**key)).collect();
    assert!(wrong.is_empty(), "tombstones for rows that are there: {wrong:?}");
    // 51 to 60, 100 and 5, and 3 from before.
    assert_eq!(gone.len(), 13, "{gone:?}");
}
