//! A lost history: what was lost is said, and a new epoch makes the copy equal to the table again.

mod begun;
mod restored;
mod topics;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::World;
use crate::world::line::until;

/// States and an event.
fn with_events(text: String) -> String {
    let text = text.replace("[backfill]\n", "[backfill]\nrows_per_chunk = 20\n");
    let topics = |line: &str| {
        format!(
            "{line}\nevent_topic = \"{}\"",
            line.split('"').nth(1).unwrap().replace(".items", ".events")
        )
    };
    let told: Vec<String> = text
        .lines()
        .map(|line| {
            if line.starts_with("state_topic") {
                topics(line)
            } else {
                line.to_owned()
            }
        })
        .collect();
    told.join("\n") + "\n\n[entity.Item.events]\nItemAdded = { on = \"enters\" }\n"
}

/// Old rows, told, and then some changes.
fn told(mut world: World) -> World {
    world.configure(|text| with_events(text).replace("on_start = false\n", ""));
    world.run("INSERT INTO item SELECT n, 'N', 'row ' || n, n FROM generate_series(1, 60) n");
    world.set_up();
    let bridge = world.start();
    await_generation(&world, 1);
    world.run("INSERT INTO item VALUES (100, 'N', 'new', 1); UPDATE item SET st = 'P' WHERE id = 2; DELETE FROM item WHERE id = 3");
    until("the changes are told", || {
        events(&world).len() == 1 && !folded(&world).contains_key("3")
    });
    assert_eq!(bridge.stop().code, 0);
    // From here on nobody asks for old rows.
    world.configure(with_events);
    world
}

fn stored(world: &World) -> Value {
    let all = world.broker.committed(&world.position_topic());
    serde_json::from_str(&all.last().expect("a position").1).unwrap()
}

fn await_generation(world: &World, number: u64) {
    until("all old rows are told", || {
        let item = stored(world)["backfill"]["entities"]["Item"].clone();
        item["standing"] == "complete" && item["number"] == number
    });
}

/// The state topic as a consumer with a guard folds it: whatever is not newer than what it has is an error.
fn folded(world: &World) -> BTreeMap<String, Value> {
    let (mut copy, mut newest) = (BTreeMap::new(), BTreeMap::<String, String>::new());
    for (key, value) in world.broker.committed(&world.topic()) {
        if value.is_empty() {
            copy.remove(&key);
            continue;
        }
        let value: Value = serde_json::from_str(&value).unwrap();
        let sequence = value["sequence"].as_str().unwrap().to_owned();
        let before = newest.insert(key.clone(), sequence.clone());
        assert!(
            before.is_none_or(|before| before < sequence),
            "{key}: a guard drops {sequence}"
        );
        copy.insert(key, value["data"].clone());
    }
    copy
}

fn table(world: &mut World) -> BTreeMap<String, Value> {
    let asked = world.ask(
        "SELECT coalesce(json_object_agg(id, json_build_object('number', id, 'status', CASE st WHEN 'N' THEN 'new' \
         ELSE 'paid' END, 'label', lbl, 'amount', amt)), '{}') FROM item",
    );
    serde_json::from_str(&asked).unwrap()
}

/// The event topic's documents, in their order of telling.
fn events(world: &World) -> Vec<Value> {
    let read = world.broker.committed(&format!("{}.events", world.name));
    let mut all: Vec<Value> = read
        .iter()
        .map(|(_, value)| serde_json::from_str(value).unwrap())
        .collect();
    all.sort_by_key(|event| event["sequence"].as_str().unwrap().to_owned());
    all
}

/// The gaps told so far, each with its epoch.
fn gaps(world: &World) -> Vec<Value> {
    let all = events(world).into_iter().filter(|event| event["type"] == "Item.gap");
    all.map(|event| event["data"].clone()).collect()
}

/// After `recover`: a bridge makes the copy equal to the table, and goes on in the new epoch.
fn carried_on(world: &mut World, (epoch, generation): (u64, u64)) {
    assert_eq!(stored(world)["epoch"], epoch);
    let bridge = world.start();
    await_generation(world, generation);
    assert_eq!(folded(world), table(world));
    let id = 1000 + epoch;
    world.run(&format!("INSERT INTO item VALUES ({id}, 'N', 'later', 1)"));
    until("the change is told", || folded(world).contains_key(&id.to_string()));
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(world), table(world));
    let last = events(world).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["data"]["number"]),
        (&"ItemAdded".into(), &id.into())
    );
    assert!(
        last["sequence"].as_str().unwrap().starts_with(&format!("{epoch:04X}-")),
        "{last}"
    );
}

#[test]
fn a_new_epoch_begins_where_a_history_is_lost() {
    let Some(world) = World::new("recover") else { return };
    let mut world = told(world);
    let (slot, position) = (world.slot(), world.position());

    // Not while a bridge runs.
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    let refused = world.call("recover", &["--yes"]);
    refused.says_json(1, "source.slot_busy", "stop the bridge");
    assert_eq!(bridge.stop().code, 0);

    // The slot is dropped, and the application goes on.
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    world.run("INSERT INTO item VALUES (101, 'N', 'lost', 1); UPDATE item SET amt = 77 WHERE id = 5; DELETE FROM item WHERE id = 6");
    world
        .ended()
        .says(1, "source.position_without_slot", &["hint: walbridge recover"]);
    let before = stored(&world);
    let asked = world.call("recover", &[]);
    asked.says_json(1, "recover.unconfirmed", "--yes");
    for says in [
        format!("committed from {position}"),
        "Item: all rows are told again".to_owned(),
        "record Item.gap".to_owned(),
    ] {
        assert!(asked.out.contains(&says), "{says}\n{asked}");
    }
    assert_eq!(stored(&world), before, "nothing is changed without a yes");
    let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    assert_eq!(world.ask(&slots), "0");
    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    let to = world.position().to_string();
    carried_on(&mut world, (2, 2));
    let gap = serde_json::json!({
        "from": before["commit_end_lsn"], "to": to, "epoch": 2, "reason": "source.position_without_slot"
    });
    assert_eq!(gaps(&world), [gap]);
    let lost = events(&world).iter().any(|event| event["data"]["number"] == 101);
    assert!(!lost, "an event is invented");

    // Emptied.
    world.run("TRUNCATE item; INSERT INTO item VALUES (7, 'P', 'after', 7)");
    world.ended().says(1, "row.truncate", &["walbridge recover"]);
    let done = world.call("recover", &["--yes"]);
    assert!(
        done.code == 0 && done.out.contains("as far as they tell, nothing is lost"),
        "{done}"
    );
    carried_on(&mut world, (3, 3));
    assert_eq!(gaps(&world).len(), 2);

    // The position is gone.
    world.broker.remove(&world.position_topic());
    world.run("UPDATE item SET amt = 8 WHERE id = 7");
    world.ended().says(
        1,
        "kafka.position_gone",
        &["records of epoch 3", "hint: walbridge recover"],
    );
    let done = world.call("recover", &["--yes"]);
    assert!(done.code == 0 && done.out.contains("the position is gone"), "{done}");
    carried_on(&mut world, (4, 1));
    let gap = gaps(&world).pop().unwrap();
    assert_eq!(
        (&gap["from"], &gap["epoch"], &gap["reason"]),
        (&Value::Null, &4.into(), &"kafka.position_gone".into())
    );

    // It is garbage.
    world.broker.write(&world.position_topic(), &world.name, "{ garbage");
    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    carried_on(&mut world, (5, 1));
}

/// Somebody else takes what the slot was to give.
fn taken_by_somebody(world: &mut World) {
    // Since before the position.
    let _open = world.keeps_log();
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (202, 'N', 'told', 1)");
    until("the change is told", || folded(world).contains_key("202"));
    assert_eq!(bridge.stop().code, 0);
    world.run("INSERT INTO item VALUES (200, 'N', 'taken', 1)");
    let slot = world.slot();
    world.run(&format!(
        "SELECT pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"
    ));
}

#[test]
fn every_halt_that_names_it_is_repaired_by_it() {
    let Some(world) = World::new("recover_all") else { return };
    let mut world = told(world);
    let slot = world.slot();
    let altered = |world: &World, change: &dyn Fn(&mut Value)| {
        let mut position = stored(world);
        change(&mut position);
        world
            .broker
            .write(&world.position_topic(), &world.name, &position.to_string());
    };
    type Breaks<'b> = Box<dyn Fn(&mut World) + 'b>;
    let sql = |sql: String| -> Breaks<'_> {
        Box::new(move |world: &mut World| {
            world.run(&sql);
        })
    };
    let cases: [(&str, Breaks<'_>); 6] = [
        ("source.publication_gone", sql(format!("DROP PUBLICATION {slot}"))),
        (
            "source.table_left",
            sql(format!("ALTER PUBLICATION {slot} DROP TABLE item")),
        ),
        (
            "source.table_recreated",
            sql(
                "CREATE TABLE again (LIKE item INCLUDING ALL); INSERT INTO again SELECT * FROM item WHERE id > 30; \
                 DROP TABLE item; ALTER TABLE again RENAME TO item"
                    .to_owned(),
            ),
        ),
        ("source.slot_ahead", Box::new(taken_by_somebody)),
        (
            "source.other_system",
            Box::new(|world| altered(world, &|position| position["system_identifier"] = "7".into())),
        ),
        (
            "source.timeline_unknown",
            Box::new(|world| altered(world, &|position| position["timeline"] = 7.into())),
        ),
    ];
    for ((code, breaks), round) in cases.into_iter().zip(2..) {
        breaks(&mut world);
        world.run("DELETE FROM item WHERE id = (SELECT max(id) FROM item WHERE id < 60)");
        let halted = world.ended();
        let said = halted.err.trim_end().lines().last().unwrap_or_default().to_owned();
        assert!(halted.code == 1 && said.contains(code), "{code}: {halted}");
        assert!(said.contains("walbridge recover"), "{code}: {halted}");
        let done = world.call("recover", &["--yes"]);
        assert_eq!(done.code, 0, "{code}: {done}");
        carried_on(&mut world, (round, round));
    }
}

#[test]
fn the_bridges_own_role_suffices_where_its_rights_are_there() {
    let Some(mut world) = World::new("recover_role") else {
        return;
    };
    let (role, slot, url) = (format!("r_{}", world.name), world.slot(), world.url());
    let (_, address) = url.split_once("://").unwrap();
    let host = address.split_once('@').map_or(address, |(_, host)| host);
    let own = format!("postgresql://{role}@{host}");
    world.configure(|text| text.replace(&url, &own));
    let done = world.call("setup", &["--apply", "--as", &url]);
    assert_eq!(done.code, 0, "{done}");
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1)");
    world.carry(1);
    let before = (
        stored(&world),
        world.ask(&format!(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
        )),
    );

    world.run(&format!("REVOKE SELECT ON item FROM {role}"));
    let refused = world.call("recover", &["--yes"]);
    let repair = format!("--as URL, or have them run: GRANT SELECT ON TABLE \"public\".\"item\" TO \"{role}\";");
    refused.says_json(1, "setup.may_not_grant", &repair);
    let after = (
        stored(&world),
        world.ask(&format!(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
        )),
    );
    assert_eq!(after, before, "it was refused before anything was changed");
    let done = world.call("recover", &["--yes", "--as", &url]);
    assert!(done.code == 0 && done.out.contains("rights granted"), "{done}");
    assert_eq!(stored(&world)["epoch"], 2);

    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    let bridge = world.start();
    await_generation(&world, 2);
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(&world), table(&mut world));
    let made = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    assert_eq!(
        (stored(&world)["epoch"].as_u64(), world.ask(&made).as_str()),
        (Some(3), "1")
    );
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn what_never_began_is_set_up_and_not_recovered() {
    let Some(world) = World::new("recover_none") else {
        return;
    };
    let refused = world.call("recover", &["--yes"]);
    refused.says_json(1, "recover.nothing", "walbridge setup --apply");
}
