//! Another config for entities that were told already: what is out of date in their topics is told again.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::World;
use crate::world::line::until;

/// A world whose table holds so many rows, all told.
fn told(test: &str, rows: usize) -> Option<World> {
    let mut world = World::new(test)?;
    world.run("ALTER TABLE item REPLICA IDENTITY FULL");
    world.run(&format!(
        "INSERT INTO item SELECT n, CASE WHEN n % 3 = 0 THEN 'P' ELSE 'N' END, 'row ' || n, n FROM generate_series(1, {rows}) n"
    ));
    world.configure(telling);
    world.set_up();
    carry(&world, 1);
    Some(world)
}

fn telling(text: String) -> String {
    text.replace("on_start = false", "rows_per_chunk = 50")
}

/// Runs until this generation is complete.
fn carry(world: &World, generation: u64) {
    carry_entity(world, "Item", generation);
}

fn carry_entity(world: &World, entity: &str, generation: u64) {
    let bridge = world.start();
    until("the old rows are told", || {
        let account = account(world, entity);
        account["standing"] == "complete" && account["number"] == generation
    });
    assert_eq!(bridge.stop().code, 0);
}

/// `check` says what changed, and that keys get tombstones.
fn promises_tombstones(world: &World, says: &str) {
    let shown = world.call("check", &[]);
    assert!(
        shown.code == 0 && shown.out.contains(says) && shown.out.contains("tombstone"),
        "{shown}"
    );
}

/// What the position says of the entity.
fn item(world: &World) -> Value {
    account(world, "Item")
}

fn account(world: &World, entity: &str) -> Value {
    let stored = world.broker.committed(&world.position_topic());
    let stored: Value = serde_json::from_str(&stored.last().expect("a position").1).unwrap();
    stored["backfill"]["entities"][entity].clone()
}

/// The topic as a consumer folds it.
fn folded(world: &World) -> BTreeMap<String, Value> {
    let mut copy = BTreeMap::new();
    for (key, value) in world.broker.committed(&world.topic()) {
        if value.is_empty() {
            copy.remove(&key);
        } else {
            let value: Value = serde_json::from_str(&value).unwrap();
            copy.insert(key, value["data"].clone());
        }
    }
    copy
}

/// The same, asked of the table with these fields and this condition.
fn table(world: &mut World, fields: &str, condition: &str) -> BTreeMap<String, Value> {
    let asked = world.ask(&format!(
        "SELECT coalesce(json_object_agg(id, json_build_object({fields})), '{{}}') FROM item WHERE {condition}"
    ));
    serde_json::from_str(&asked).unwrap()
}

const STATUS: &str = "'status', CASE st WHEN 'N' THEN 'new' ELSE 'paid' END, 'label', lbl, 'amount', amt";

#[test]
fn a_narrowed_where_and_another_field_leave_the_copy_equal_to_the_table() {
    let Some(mut world) = told("narrowed", 150) else { return };
    assert_eq!(
        folded(&world),
        table(&mut world, &format!("'number', id, {STATUS}"), "true")
    );

    // While it is down: one row leaves for good, one comes, one changes.
    world.run("DELETE FROM item WHERE id = 5; INSERT INTO item VALUES (900, 'P', 'new', 1)");
    let narrowed = |text: String| telling(text).replace("key = \"number\"", "where = \"st = 'P'\"\nkey = \"number\"");
    world.configure(narrowed);
    promises_tombstones(&world, "Item is `st = 'P'`, no longer all rows");
    carry(&world, 2);
    assert_eq!(
        folded(&world),
        table(&mut world, &format!("'number', id, {STATUS}"), "st = 'P'")
    );

    world.configure(|text| narrowed(text).replace("amount = \"amt\"", "amount = \"amt\"\ndouble = \"amt * 2\""));
    carry(&world, 3);
    let fields = format!("'number', id, {STATUS}, 'double', amt * 2");
    assert_eq!(folded(&world), table(&mut world, &fields, "st = 'P'"));

    // Nothing changed: nothing is told.
    let records = world.broker.committed(&world.topic()).len();
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (901, 'P', 'new', 1)");
    until("the change is told", || folded(&world).contains_key("901"));
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(world.broker.committed(&world.topic()).len(), records + 1);
}

#[test]
fn another_key_in_the_same_topic_is_an_operators_decision() {
    let Some(mut world) = told("rekeyed", 40) else { return };
    world.run("ALTER TABLE item ALTER lbl SET NOT NULL; CREATE UNIQUE INDEX ON item (lbl)");
    world.configure(|text| telling(text).replace("key = \"number\"", "key = \"label\""));
    let shown = world.call("check", &["--format", "json"]);
    assert!(shown.code == 1 && shown.out.contains("mapping.undecided"), "{shown}");
    let before = world.position();
    let refused = world.ended();
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused.err.contains("Item has the key label, no longer number") && refused.err.contains("--accept"),
        "{refused}"
    );
    assert_eq!(world.position(), before, "nothing was stored");
    let bridge = world.start_with(&["--accept"]);
    until("the old rows are told", || {
        item(&world)["number"] == 2 && item(&world)["standing"] == "complete"
    });
    assert_eq!(bridge.stop().code, 0);
    let keys: Vec<String> = folded(&world).into_keys().collect();
    assert_eq!(keys.len(), 40);
    assert!(keys.iter().all(|key| key.starts_with("row ")), "{keys:?}");
    // It was decided once.
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (900, 'P', 'row 900', 1)");
    until("the change is told", || folded(&world).contains_key("row 900"));
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn an_entity_of_another_name_in_the_same_topic_leaves_the_copy_equal_to_the_table() {
    let Some(mut world) = told("renamed", 60) else { return };
    let renamed = |text: String| {
        let text = telling(text).replace("[entity.Item", "[entity.Thing");
        text.replace("key = \"number\"", "where = \"st = 'P'\"\nkey = \"number\"")
    };
    world.configure(renamed);
    promises_tombstones(&world, "Thing is new, and what was told as Item is in its topic");
    carry_entity(&world, "Thing", 1);
    assert_eq!(folded(&world).len(), 20);
    assert_eq!(
        folded(&world),
        table(&mut world, &format!("'number', id, {STATUS}"), "st = 'P'")
    );
}
