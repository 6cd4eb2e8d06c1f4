//! Rows that cannot be told: the bridge halts with the place and the repair, never the value, and then loses nothing.

use crate::world::World;

/// An event for an entity without a state.
const ADDED: &str = "\n[entity.Item.events]\nItemAdded = { on = \"enters\" }\n";

/// Publishes one row, then meets this one, which cannot be told.
fn met(world: &mut World, row: &str) -> crate::world::line::Ended {
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    world.run(row);
    world.run("INSERT INTO item VALUES (3, 'P', 'three', 30)");
    let ended = world.ended();
    world.holds(&["1"]);
    ended
}

#[test]
fn an_unknown_code_halts_and_goes_on_once_the_config_knows_it() {
    let Some(mut world) = World::new("code") else { return };
    let ended = met(&mut world, "INSERT INTO item VALUES (2, 'Q-secret', 'two', 20)");
    let what = "cannot tell Item.status of a row of public.item: ";
    let repair = "hint: add the code under `codes`, or say on_unknown = \"null\" or \"raw\"";
    ended.says(1, "row.unknown_code", &[what, "(transaction at ", repair]);
    ended.shows("status = { from");
    assert!(!ended.err.contains("secret"), "a value is told\n{ended}");
    let (_, look) = ended
        .err
        .trim_end()
        .rsplit_once("SELECT * FROM")
        .expect("a way to see the row");
    assert_eq!(world.ask(&format!("SELECT string_agg(id::text, ' ') FROM{look}")), "2");
    world.configure(|text| text.replace("P = \"paid\"", "P = \"paid\", Q-secret = \"queried\""));
    world.carry(3);
    world.holds(&["1", "2", "3"]);
    let told = world.broker.committed(&world.topic());
    assert!(told.iter().any(|(_, value)| value.contains("\"queried\"")), "{told:?}");
}

#[test]
fn an_expression_out_of_range_halts_and_goes_on_once_it_is_wider() {
    let Some(mut world) = World::new("overflow") else {
        return;
    };
    world.configure(|text| text.replace("amount = \"amt\"", "amount = \"amt * 100\""));
    let ended = met(&mut world, "INSERT INTO item VALUES (2, 'N', 'two', 2111222333)");
    let what = "cannot tell Item.amount of a row of public.item: ";
    ended.says(
        1,
        "row.expression",
        &[
            what,
            "out of range",
            "hint: let it have a value for every row: a wider type",
        ],
    );
    ended.shows("amt * 100");
    assert!(!ended.err.contains("2111222333"), "a value is told\n{ended}");
    world.configure(|text| text.replace("amount = \"amt\"", "amount = \"amt::int8 * 100\""));
    world.carry(3);
    world.holds(&["1", "2", "3"]);
}

/// In a database that holds any bytes.
fn without_encoding(test: &str) -> Option<World> {
    let Ok(url) = std::env::var("WALBRIDGE_TEST_PG") else {
        eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
        return None;
    };
    World::on(&url, test, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
}

#[test]
fn old_rows_with_bytes_that_are_no_utf8_halt_as_changes_do() {
    let Some(mut world) = without_encoding("ascii_old") else {
        return;
    };
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1), (2, 'N', E'caf\\351 au lait', 2)");
    world.configure(|text| text.replace("on_start = false", "on_start = true"));
    world.set_up();
    world
        .ended()
        .says(1, "row.not_utf8", &["Item.label of an old row of public.item"]);
    world.configure(|text| {
        text.replace("on_start = false", "on_start = true")
            .replace("label = \"lbl\"", "")
    });
    world.carry(2);
    world.holds(&["1", "2"]);
}

#[test]
fn bytes_that_are_no_utf8_halt() {
    let Some(mut world) = without_encoding("ascii") else {
        return;
    };
    let ended = met(&mut world, "INSERT INTO item VALUES (2, 'N', E'caf\\351 au lait', 20)");
    ended.says(
        1,
        "row.not_utf8",
        &[
            "Item.label of a row of public.item",
            "not valid UTF-8",
            "hint: take the field out",
        ],
    );
    ended.shows("label = \"lbl\"");
    assert!(
        !ended.err.contains("lait") && !ended.err.contains("0xe9"),
        "a value is told\n{ended}"
    );
    world.configure(|text| text.replace("label = \"lbl\"", ""));
    world.carry(3);
    world.holds(&["1", "2", "3"]);
}

#[test]
fn a_key_without_a_value_halts_and_goes_on_once_such_rows_are_left_out() {
    let Some(mut world) = World::new("null_key") else {
        return;
    };
    world.run("ALTER TABLE item REPLICA IDENTITY FULL");
    world.configure(|text| {
        text.replace("key = \"number\"", "key = \"amount\"")
            .replace("state_topic", "event_topic")
            + ADDED
    });
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 1)");
    world.carry(1);
    world.run("INSERT INTO item VALUES (2, 'N', 'two', NULL)");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 3)");
    let what = "cannot tell Item.amount of a row of public.item: its key is null";
    let repair = "hint: choose a key that is never null, or let `where` leave such rows out";
    let ended = world.ended();
    ended.says(1, "row.null_key", &[what, repair]);
    ended.shows("amount = \"amt\"");
    world.holds(&["1"]);
    world.configure(|text| {
        let text = text.replace("key = \"number\"", "key = \"amount\"\nwhere = \"amt is not null\"");
        text.replace("state_topic", "event_topic") + ADDED
    });
    world.carry(2);
    world.holds(&["1", "3"]);
}

#[test]
fn what_was_committed_before_such_a_row_is_told() {
    let Some(mut world) = World::new("before") else { return };
    world.set_up();
    // All of it waits for the start, and comes in one go.
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30), (4, 'unknown', 'four', 40)");
    for _ in 0..2 {
        world.ended().says(1, "row.unknown_code", &["Item.status"]);
        world.holds(&["1", "2"]);
    }
    world.configure(|text| text.replace("P = \"paid\"", "unknown = \"paid\""));
    world.carry(4);
    world.holds(&["1", "2", "3", "4"]);
}

#[test]
fn a_value_that_was_not_logged_is_not_taken_for_unchanged_once_the_identity_is_full() {
    let Some(mut world) = World::new("toast") else { return };
    world.run("ALTER TABLE item ALTER lbl TYPE text; ALTER TABLE item ALTER lbl SET STORAGE EXTERNAL");
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', repeat('long', 2000), 10)");
    world.carry(1);
    world.run("UPDATE item SET st = 'P'");
    let repair = "hint: ALTER TABLE \"public\".\"item\" REPLICA IDENTITY FULL; for what is changed from then on";
    world
        .ended()
        .says(1, "row.unchanged", &["cannot tell Item.label", repair]);
    world.run("ALTER TABLE item REPLICA IDENTITY FULL");
    world
        .ended()
        .says(1, "row.unchanged", &["cannot tell Item.label", repair]);
    world.holds(&["1"]);
    world.configure(|text| text.replace("label = \"lbl\"", ""));
    world.carry(2);
    let told = world.broker.committed(&world.topic());
    assert!(told[1].1.contains("\"status\":\"paid\""), "{told:?}");
    world.configure(|text| text);
    world.run("UPDATE item SET amt = 11");
    world.carry(3);
    world.holds(&["1", "1", "1"]);
}
