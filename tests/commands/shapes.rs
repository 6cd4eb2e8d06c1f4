//! DDL on a mapped table while the bridge runs.

use crate::world::World;
use crate::world::line::Bridge;

/// A bridge that has published one row and runs on.
fn running(test: &str) -> Option<(World, Bridge)> {
    let mut world = World::new(test)?;
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.await_records(1);
    Some((world, bridge))
}

#[test]
fn a_mapped_column_that_is_dropped_halts() {
    let Some((mut world, bridge)) = running("col_drop") else {
        return;
    };
    world.run("ALTER TABLE item DROP COLUMN amt");
    world.run("INSERT INTO item VALUES (2, 'N', 'two')");
    let ended = bridge.ended();
    let what = "Item needs column \"amt\" of public.item, which its changes here do not carry";
    ended.says(1, "mapping.column_gone", &[what, "dropped: take it out of the mapping"]);
    assert!(
        ended.err.contains("they carry id, st, lbl; nothing is guessed"),
        "{ended}"
    );
    ended.shows("[entity.Item]");
    world.holds(&["1"]);
    world.configure(|text| text.replace("amount = \"amt\"", ""));
    world.carry(2);
    world.holds(&["1", "2"]);
}

#[test]
fn a_mapped_column_that_is_renamed_halts_and_goes_on_under_both_names() {
    let Some((mut world, bridge)) = running("col_rename") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run("ALTER TABLE item RENAME COLUMN amt TO amount");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30)");
    world.configure(|text| text.replace("\"amt\"", "\"amount\""));
    let ended = world.ended();
    let repair = "renamed: formerly = { \"amount\" = \"its name here\" }";
    ended.says(1, "mapping.column_gone", &["Item needs column \"amount\"", repair]);
    assert!(ended.err.contains("they carry id, st, lbl, amt; nothing"), "{ended}");
    world.holds(&["1"]);
    world.configure(both_names);
    world.carry(3);
    world.holds(&["1", "2", "3"]);
}

#[test]
fn a_column_can_be_renamed_under_a_running_bridge_that_knows_both_names() {
    let Some((mut world, bridge)) = running("col_renames") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.run("ALTER TABLE item ADD COLUMN spare int; ALTER TABLE item REPLICA IDENTITY FULL");
    world.configure(both_names);
    let bridge = world.start();
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.await_records(2);
    world.run("ALTER TABLE item RENAME COLUMN amt TO amount");
    world.run("ALTER TABLE item RENAME COLUMN id TO nr");
    world.run("ALTER TABLE item DROP COLUMN spare");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30)");
    world.await_records(3);
    // Longer than from one look at the surroundings to the next.
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(bridge.stop().code, 0);
    world.run("DELETE FROM item WHERE nr = 1");
    world.carry(4);
    world.holds(&["1", "1", "2", "3"]);
    let told = world.broker.committed(&world.topic());
    for part in ["\"amount\":20", "\"amount\":30"] {
        assert!(told.iter().any(|(_, value)| value.contains(part)), "{part}: {told:?}");
    }
}

/// The mapping by the new name of the amount, which fits the old one.
fn both_amounts(text: String) -> String {
    text.replace("\"amt\"", "\"amount\"") + "\n[entity.Item.formerly]\namount = \"amt\"\n"
}

/// The same for the key as well.
fn both_names(text: String) -> String {
    both_amounts(text.replace("\"id\"", "\"nr\"")) + "nr = \"id\"\n"
}

#[test]
fn a_column_that_was_renamed_and_retyped_is_told_by_its_former_type_and_then_by_the_new_one() {
    let Some((mut world, bridge)) = running("col_both") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run("ALTER TABLE item ALTER amt TYPE text; INSERT INTO item VALUES (3, 'N', 'three', 'x')");
    world.configure(both_amounts);
    world.carry(3);
    world.run("ALTER TABLE item RENAME COLUMN amt TO amount; INSERT INTO item VALUES (4, 'N', 'four', 'y')");
    world.carry(4);
    let told = world.broker.committed(&world.topic());
    for part in ["\"amount\":20", "\"amount\":\"x\"", "\"amount\":\"y\""] {
        assert!(told.iter().any(|(_, value)| value.contains(part)), "{part}: {told:?}");
    }
}

#[test]
fn a_column_for_each_of_two_names_halts() {
    let Some((mut world, bridge)) = running("col_twice") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.configure(both_amounts);
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.run("ALTER TABLE item ADD COLUMN amount int DEFAULT 7");
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let what = "public.item has a column for either name of Item's column \"amount\"";
    bridge.ended().says(1, "mapping.column_twice", &[what]);
    let what = "public.item has a column \"amount\" and a column \"amt\"";
    world
        .ended()
        .says(2, "mapping.formerly", &[what, "take it out of `formerly`"]);
    world.holds(&["1"]);
    world.configure(|text| text);
    world.carry(2);
    world.holds(&["1", "2"]);
}

#[test]
fn another_name_for_a_column_that_nothing_looks_at_is_a_finding() {
    let Some(world) = World::new("col_formerly") else {
        return;
    };
    world.set_up();
    world.configure(|text| text + "\n[entity.Item.formerly]\namuont = \"amt\"\n");
    let checked = world.call("check", &[]);
    assert_eq!(checked.code, 2, "{checked}");
    for part in ["Item looks at no column \"amuont\"", "amuont = \"amt\"\n   | ^^^^^^\n"] {
        assert!(checked.out.contains(part), "{part}: {checked}");
    }
    let taken = "\"amt\" is the other name of \"amuont\", and something else too";
    assert!(checked.out.contains(taken), "{checked}");
}

#[test]
fn a_mapped_column_that_changes_its_type_is_told_by_its_new_one() {
    let Some((mut world, bridge)) = running("col_type") else {
        return;
    };
    world.run("ALTER TABLE item ALTER amt TYPE int8");
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 5000000000)");
    world.await_records(2);
    world.run("ALTER TABLE item ALTER lbl TYPE text");
    world.run("INSERT INTO item VALUES (3, 'P', repeat('long', 20), 30)");
    world.await_records(3);
    assert_eq!(bridge.stop().code, 0);
    world.holds(&["1", "2", "3"]);
    let told = world.broker.committed(&world.topic());
    for part in ["\"amount\":5000000000", &"long".repeat(20)] {
        assert!(told.iter().any(|(_, value)| value.contains(part)), "{part}: {told:?}");
    }
}

#[test]
fn a_mapping_that_does_not_suit_a_type_of_the_log_says_that_it_is_about_the_log() {
    let Some((mut world, bridge)) = running("col_back") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.run("ALTER TABLE item ALTER st TYPE int4 USING 7");
    world.run("INSERT INTO item VALUES (2, 7, 'two', 20)");
    world.run("ALTER TABLE item ALTER st TYPE text USING 'N'");
    let ended = world.ended();
    ended.says(2, "mapping.form", &["no integer is spelt \"N\""]);
    let why = "logged while \"st\" of public.item had another type than now";
    assert!(ended.err.contains(why), "{ended}");
    world.configure(|text| text.replace("N = \"new\", P = \"paid\"", "7 = \"retyped\""));
    world.carry(2);
    world.configure(|text| text);
    world.run("INSERT INTO item VALUES (3, 'P', 'three', 30)");
    world.carry(3);
    let told = world.broker.committed(&world.topic());
    assert!(
        told.iter().any(|(_, value)| value.contains("\"status\":\"retyped\"")),
        "{told:?}"
    );
}

#[test]
fn a_truncated_table_halts() {
    let Some((mut world, bridge)) = running("truncate") else {
        return;
    };
    world.run("TRUNCATE item");
    let ended = bridge.ended();
    let repair = "hint: tell consumers, then begin a new history: walbridge recover";
    ended.says(
        1,
        "row.truncate",
        &["public.item was truncated (transaction at ", repair],
    );
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.ended().says(1, "row.truncate", &["public.item was truncated"]);
    world.holds(&["1"]);
}

#[test]
fn a_table_renamed_there_and_back_is_not_passed_over() {
    let Some((mut world, bridge)) = running("tab_rename") else {
        return;
    };
    assert_eq!(bridge.stop().code, 0);
    world.run("ALTER TABLE item RENAME TO item2");
    world.run("INSERT INTO item2 VALUES (2, 'N', 'two', 20)");
    world.run("ALTER TABLE item2 RENAME TO item");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30)");
    let what = "the table public.item was renamed to public.item2, and changed under that name (transaction at ";
    let repair = "hint: table = \"public.item2\" in place of \"public.item\", while the table has that name";
    for _ in 0..2 {
        world.ended().says(1, "source.table_renamed", &[what, repair]);
        world.holds(&["1"]);
    }
    world.run("ALTER TABLE item RENAME TO item2");
    world.configure(|text| text.replace("public.item", "public.item2"));
    let back = "the table public.item2 was renamed to public.item, and changed under that name";
    world.ended().says(1, "source.table_renamed", &[back]);
    world.holds(&["1", "2"]);
    world.run("ALTER TABLE item2 RENAME TO item");
    world.configure(|text| text);
    world.carry(3);
    world.holds(&["1", "2", "3"]);
}

#[test]
fn a_table_that_another_took_the_place_of_halts() {
    let Some((mut world, bridge)) = running("tab_swap") else {
        return;
    };
    world.run("CREATE TABLE other (LIKE item INCLUDING ALL)");
    let name = world.slot();
    world.run(&format!("ALTER PUBLICATION {name} ADD TABLE other"));
    assert_eq!(bridge.stop().code, 0);
    world.run("ALTER TABLE item RENAME TO kept; ALTER TABLE other RENAME TO item");
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run("ALTER TABLE item RENAME TO other; ALTER TABLE kept RENAME TO item");
    let what = "another table took the name public.item, and changed under it (transaction at ";
    world
        .ended()
        .says(1, "source.table_recreated", &[what, "hint: walbridge recover"]);
    world.holds(&["1"]);
}
