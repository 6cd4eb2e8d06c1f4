//! Partitions that come with rows, of which the stream tells nothing: those rows are told as old ones, and no others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::World;
use crate::world::line::until;

/// For what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A partitioned table with a row in its one partition.
fn with_partitions(test: &str, telling: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world
        .run("DROP TABLE item; CREATE TABLE item (id int PRIMARY KEY, st text NOT NULL, lbl varchar(20), amt int) PARTITION BY RANGE (id)")
        .run("CREATE TABLE item_0 PARTITION OF item FOR VALUES FROM (0) TO (100)")
        .run("INSERT INTO item VALUES (1, 'N', 'first', 1)");
    world.configure(|text| text.replace("on_start = false", telling));
    world.set_up();
    Some(world)
}

/// SQL after which a partition of these ids is there, with two rows that it brought.
fn attached(from: u32) -> String {
    format!(
        "CREATE TABLE item_{from} (LIKE item INCLUDING ALL); INSERT INTO item_{from} VALUES ({from}, 'N', 'brought', 1), \
         ({}, 'N', 'brought', 2); ALTER TABLE item ATTACH PARTITION item_{from} FOR VALUES FROM ({from}) TO ({})",
        from + 1,
        from + 100
    )
}

/// How often each key was told as an old row, and as a change.
fn told(world: &World) -> BTreeMap<u32, (u32, u32)> {
    let mut out: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for (key, value) in world.broker.committed(&world.topic()) {
        let value: Value = serde_json::from_str(&value).unwrap();
        let (old, changes) = out.entry(key.parse().unwrap()).or_default();
        *(if value["origin"] == "backfill" { old } else { changes }) += 1;
    }
    out
}

fn await_told(world: &World, wanted: &[(u32, (u32, u32))]) {
    let wanted: BTreeMap<u32, (u32, u32)> = wanted.iter().copied().collect();
    let begun = Instant::now();
    while told(world) != wanted && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(told(world), wanted);
}

#[test]
fn rows_that_a_partition_brings_are_told_whether_or_not_the_bridge_runs() {
    let Some(mut world) = with_partitions("brought", "on_start = true") else {
        return;
    };
    let bridge = world.start();
    await_told(&world, &[(1, (1, 0))]);
    world.run(&attached(100));
    await_told(&world, &[(1, (1, 0)), (100, (1, 0)), (101, (1, 0))]);
    // One that comes empty has nothing to tell, and what comes into it is told once.
    world.run("CREATE TABLE item_200 PARTITION OF item FOR VALUES FROM (200) TO (300)");
    until("it is known", || {
        let stored = world.broker.committed(&world.position_topic());
        stored.iter().any(|(_, value)| value.contains("public.item_200"))
    });
    world.run("INSERT INTO item VALUES (200, 'N', 'new', 1)");
    await_told(&world, &[(1, (1, 0)), (100, (1, 0)), (101, (1, 0)), (200, (0, 1))]);
    assert_eq!(bridge.stop().code, 0);
    // Away, and in one transaction: it looks as if it had been made empty.
    world.run(&format!("BEGIN; {}; COMMIT", attached(300)));
    world.run(&attached(400)).run("DROP TABLE item_0");
    let bridge = world.start();
    let all = [
        (1, (1, 0)),
        (100, (1, 0)),
        (101, (1, 0)),
        (200, (0, 1)),
        (300, (1, 0)),
        (301, (1, 0)),
        (400, (1, 0)),
        (401, (1, 0)),
    ];
    await_told(&world, &all);
    world.run("UPDATE item SET lbl = 'changed' WHERE id = 300");
    until("the change is told", || told(&world)[&300] == (1, 1));
    let ended = bridge.stop();
    assert_eq!(ended.code, 0);
    assert!(
        ended
            .err
            .contains("partition public.item_0 of public.item was dropped or detached"),
        "{}",
        ended.err
    );
    // It is known now.
    let bridge = world.start();
    world.run("UPDATE item SET lbl = 'changed' WHERE id = 301");
    until("the change is told", || told(&world)[&301] == (1, 1));
    let ended = bridge.stop();
    assert!(
        !ended.err.contains("dropped or detached") && !ended.err.contains("came"),
        "{}",
        ended.err
    );
    assert_eq!(told(&world)[&400], (1, 0));
}

#[test]
fn where_old_rows_are_not_told_it_is_said() {
    let Some(mut world) = with_partitions("unbrought", "on_start = false") else {
        return;
    };
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (2, 'N', 'new', 1)");
    await_told(&world, &[(2, (0, 1))]);
    world.run(&attached(100));
    until("it is said", || {
        bridge
            .said()
            .contains("the partition public.item_100 may have brought rows that Item did not tell")
    });
    world.run("UPDATE item SET lbl = 'changed' WHERE id = 100");
    await_told(&world, &[(2, (0, 1)), (100, (0, 1))]);
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_partition_that_was_away_and_a_kill_at_any_moment_lose_nothing() {
    let Some(mut world) = with_partitions(
        "brought_kills",
        "on_start = true\nrows_per_chunk = 10\nmax_rows_per_second = 100",
    ) else {
        return;
    };
    let mut bridge = world.start();
    await_told(&world, &[(1, (1, 0))]);
    world.run(
        "CREATE TABLE many (LIKE item INCLUDING ALL); INSERT INTO many SELECT n, 'N', 'many', n FROM generate_series(100, 399) n; \
         ALTER TABLE item ATTACH PARTITION many FOR VALUES FROM (100) TO (400)",
    );
    // It is told for three seconds, and killed every half second.
    for _ in 0..8 {
        std::thread::sleep(Duration::from_millis(500));
        drop(bridge);
        bridge = world.start();
        bridge.await_ready("streaming");
    }
    let all: Vec<(u32, (u32, u32))> = std::iter::once((1, (1, 0)))
        .chain((100..400).map(|id| (id, (1, 0))))
        .collect();
    await_told(&world, &all);
    // What is told is told to its end before what comes meanwhile.
    world.run(
        "ALTER TABLE item DETACH PARTITION many; UPDATE many SET lbl = 'changed' WHERE id = 399; DELETE FROM many WHERE id < 399; \
         ALTER TABLE item ATTACH PARTITION many FOR VALUES FROM (100) TO (400)",
    );
    until("it is told again", || told(&world)[&399] == (2, 0));
    world.run("CREATE TABLE item_900 PARTITION OF item FOR VALUES FROM (900) TO (999)");
    bridge.await_word("the partition public.item_900 came");
    bridge.await_ready("streaming");
    assert_eq!(bridge.said().matches("and is back").count(), 1, "it is said once");
    bridge.await_word("the partition public.many of public.item was detached, and is back");
    assert_eq!(told(&world)[&398], (1, 0));
    assert_eq!(bridge.stop().code, 0);
}
