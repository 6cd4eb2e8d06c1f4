//! A table that grows while its old rows are told: the telling ends with the rows that were there when it began.

use serde_json::Value;

use crate::world::World;
use crate::world::line::until;

/// Keys that were told as old rows, and keys that were told as changes, each in order.
fn told(world: &World) -> (Vec<u32>, Vec<u32>) {
    let (mut old, mut changes) = (Vec::new(), Vec::new());
    let records = world.broker.committed(&world.topic());
    for (key, value) in records.into_iter().filter(|(_, value)| !value.is_empty()) {
        let value: Value = serde_json::from_str(&value).unwrap();
        let kind = if value["origin"] == "backfill" {
            &mut old
        } else {
            &mut changes
        };
        kind.push(key.parse().unwrap());
    }
    old.sort_unstable();
    changes.sort_unstable();
    (old, changes)
}

#[test]
fn what_comes_behind_the_last_row_is_left_to_the_stream_also_after_a_kill() {
    let Some(mut world) = World::new("growing") else { return };
    world.run("INSERT INTO item SELECT n, 'N', 'row', n FROM generate_series(1, 300) n");
    let slowly = "on_start = true\nrows_per_chunk = 50\nmax_rows_per_second = 100";
    world.configure(|text| text.replace("on_start = false", slowly));
    world.set_up();
    let bridge = world.start();
    until("some are told", || !told(&world).0.is_empty());
    world.run(
        "INSERT INTO item SELECT n, 'N', 'new', n FROM generate_series(1001, 1100) n; DELETE FROM item WHERE id = 300",
    );
    until("some more are told", || told(&world).0.len() > 100);
    assert!(told(&world).0.len() < 299, "it was to be slow");
    drop(bridge);
    let bridge = world.start();
    world.run("INSERT INTO item SELECT n, 'N', 'newer', n FROM generate_series(1101, 1200) n");
    until("it is complete", || {
        let stored = world.broker.committed(&world.position_topic());
        stored
            .last()
            .is_some_and(|(_, last)| last.contains("\"standing\":\"complete\""))
    });
    assert_eq!(bridge.stop().code, 0);
    let (old, changes) = told(&world);
    assert_eq!(old, (1..300).collect::<Vec<u32>>());
    assert_eq!(changes, (1001..=1200).collect::<Vec<u32>>());
}
