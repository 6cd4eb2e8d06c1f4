//! Publications that are missing, or that a mapped table left: a halt, for changes may have gone untold.

use crate::world::World;
use crate::world::line::{Ended, until};

/// One row published, then stopped.
fn carried(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    Some(world)
}

/// It halts so, nothing moves, and `check` says the same and no repair that is none.
fn halts(world: &mut World, code: &str, what: &str) -> Ended {
    let position = world.position();
    let ended = world.ended();
    ended.says(1, code, &[what, "hint: walbridge recover"]);
    let why = format!("changes committed after {position} may not have been told, nor those of the seconds before");
    assert!(ended.err.contains(&why), "{ended}");
    assert_eq!(world.position(), position);
    world.holds(&["1"]);
    let checked = world.call("check", &["--format", "json"]);
    assert!(checked.code == 1 && checked.out.contains(code), "{checked}");
    assert!(
        !checked.out.contains("ADD TABLE") && !checked.out.contains("setup --apply"),
        "{checked}"
    );
    ended
}

#[test]
fn a_publication_that_was_dropped_halts() {
    let Some(mut world) = carried("pub_dropped") else {
        return;
    };
    let name = world.slot();
    world.run(&format!("DROP PUBLICATION {name}"));
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    halts(
        &mut world,
        "source.publication_gone",
        &format!("the publication {name} was dropped"),
    );
    world.run(&format!("CREATE PUBLICATION {name} FOR TABLE item"));
    let again = format!("the publication {name} was dropped and made again");
    halts(&mut world, "source.publication_recreated", &again);
}

#[test]
fn a_publication_that_never_was_asks_for_the_set_up() {
    let Some(world) = World::new("pub_never") else { return };
    let what = format!("the publication {} does not exist", world.slot());
    let ended = world.ended();
    ended.says(
        1,
        "source.publication_missing",
        &[&what, "hint: walbridge setup --apply"],
    );
    assert!(!world.broker.has(&world.position_topic()), "a start made a topic");
}

#[test]
fn a_table_that_left_its_publication_while_stopped_halts() {
    let Some(mut world) = carried("pub_left") else { return };
    let name = world.slot();
    world.run(&format!("ALTER PUBLICATION {name} DROP TABLE item"));
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let what = "the table public.item was taken out of the publication";
    halts(&mut world, "source.table_left", what);
    world.run(&format!("ALTER PUBLICATION {name} ADD TABLE item"));
    halts(&mut world, "source.table_readded", &format!("{what} and put back"));
}

#[test]
fn a_table_that_left_and_came_back_while_running_halts() {
    let Some(mut world) = carried("pub_running") else {
        return;
    };
    let name = world.slot();
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.run(&format!("ALTER PUBLICATION {name} DROP TABLE item"));
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.run(&format!("ALTER PUBLICATION {name} ADD TABLE item"));
    let ended = bridge.ended();
    let what = "the table public.item was taken out of the publication and put back";
    ended.says(1, "source.table_readded", &[what, "hint: walbridge recover"]);
    assert_eq!(world.keys(), ["1"]);
    halts(&mut world, "source.table_readded", what);
}

#[test]
fn a_table_mapped_later_is_added_by_the_repair() {
    let Some(mut world) = carried("pub_later") else { return };
    let name = world.slot();
    world.run("CREATE TABLE part (id int PRIMARY KEY)");
    let topic = format!("{}.parts", world.name);
    let part = format!(
        "\n[entity.Part]\ntable = \"public.part\"\nkey = \"number\"\nstate_topic = \"{topic}\"\n[entity.Part.fields]\nnumber = \"id\"\n"
    );
    world.configure(|text| text + &part);
    let repair = format!("ALTER PUBLICATION \"{name}\" ADD TABLE \"public\".\"part\";");
    let ended = world.ended();
    let what = format!("the publication {name} lacks the table public.part");
    ended.says(
        1,
        "source.publication_lacks_table",
        &[&what, &format!("hint: {repair}")],
    );
    world.run(&repair);
    world.run("INSERT INTO part VALUES (7); INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.carry(2);
    world.holds(&["1", "2"]);
    assert_eq!(world.broker.committed(&topic).len(), 1);
}

#[test]
fn a_table_of_which_more_is_told_moves_to_the_other_publication_and_nothing_is_lost() {
    let Some(mut world) = World::new("pub_moves") else {
        return;
    };
    let (name, topic) = (world.slot(), format!("{}.notes", world.name));
    world.run("CREATE TABLE note (id int NOT NULL, txt text)");
    let note = format!(
        "\n[entity.Note]\ntable = \"public.note\"\nkey = \"number\"\nevent_topic = \"{topic}\"\n\
         [entity.Note.fields]\nnumber = \"id\"\n[entity.Note.events]\nNoteTaken = {{ on = \"enters\" }}\n"
    );
    world.configure(|text| text + &note);
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10); INSERT INTO note VALUES (1, 'one')");
    world.carry(1);
    let keys = |world: &World| -> Vec<String> {
        let mut keys: Vec<String> = world.broker.committed(&topic).into_iter().map(|(key, _)| key).collect();
        keys.sort();
        keys
    };
    until("the note is told", || keys(&world) == ["1"]);
    let members =
        "SELECT string_agg(pubname::text, ' ' ORDER BY 1) FROM pg_publication_tables WHERE tablename = 'note'";
    assert_eq!(world.ask(members), format!("{name}_inserts"));

    // Another mapping asks for updates, too.
    world.run("INSERT INTO note VALUES (2, 'two')");
    let filtered = note.replace("key = ", "where = \"txt IS NOT NULL\"\nkey = ");
    world.configure(|text| text + &filtered);
    world.ended().says(1, "mapping.identity", &["REPLICA IDENTITY FULL"]);
    world.run("ALTER TABLE note REPLICA IDENTITY FULL");
    let repair = format!("ALTER PUBLICATION \"{name}\" ADD TABLE \"public\".\"note\";");
    world.ended().says(1, "source.publication_lacks_table", &[&repair]);
    world.run("INSERT INTO note VALUES (3, 'three')");
    world.run(&repair);
    world.run("INSERT INTO note VALUES (4, NULL); UPDATE note SET txt = 'four' WHERE id = 4");
    let bridge = world.start();
    until("every note is told, once", || keys(&world) == ["1", "2", "3", "4"]);
    assert_eq!(bridge.stop().code, 0);
    // What is left behind may go.
    world.run(&format!(
        "DROP PUBLICATION {name}_inserts; INSERT INTO note VALUES (5, 'five')"
    ));
    let bridge = world.start();
    until("the next note is told", || keys(&world).len() == 5);
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_mapped_column_that_the_publication_hides_is_refused_before_anything_is_made() {
    let Some(mut world) = World::new("pub_hidden") else {
        return;
    };
    let name = world.slot();
    let make = |columns: &str| format!("CREATE PUBLICATION {name} FOR TABLE item {columns}");
    world.run(&make("(id, st, lbl)"));
    let what = format!("the publication {name} hides the column amt of public.item, which is mapped");
    let refused = world.call("setup", &["--apply"]);
    refused.says_json(1, "source.column_hidden", "ALTER PUBLICATION");
    assert!(!world.broker.has(&world.topic()), "something was made");
    let checked = world.call("check", &[]);
    assert!(checked.code == 1 && checked.out.contains(&what), "{checked}");
    world.run(&format!("DROP PUBLICATION {name}"));
    world.run(&make("(id, st, lbl, amt)"));
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    world.holds(&["1"]);
}
