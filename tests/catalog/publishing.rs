//! Set-up, publications and their findings.

use std::time::Duration;

use walbridge::source::postgres::preflight::preflight;
use walbridge::source::postgres::publication::needed;
use walbridge::source::postgres::settings::Publish;
use walbridge::source::postgres::sql::{Sql, quote};
use walbridge::source::postgres::{setup, slot};

use crate::world::{World, codes, halted};

#[test]
fn set_up_makes_what_is_missing_once_and_refuses_what_breaks_writes() {
    let Some(mut world) = World::new("setup") else { return };
    world
        .run(
            "CREATE TABLE ord (id int PRIMARY KEY, t text); CREATE TABLE bare (id int); CREATE TABLE \"l'og\" (id int)",
        )
        .run("CREATE TABLE part (id int, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d)")
        .run("CREATE TABLE \"part 1\" PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
        .follow("ord", Publish::Everything)
        .follow("part", Publish::Everything)
        .follow("l'og", Publish::InsertsSuffice)
        .follow("bare", Publish::Everything);
    let refused = halted(world.apply());
    assert_eq!(refused.code, "source.identity_missing");
    assert_eq!(
        refused.repair.as_deref(),
        Some("ALTER TABLE \"public\".\"bare\" REPLICA IDENTITY FULL;")
    );
    assert_eq!(world.publications().len(), 0);
    world.settings.tables.retain(|one| one.name.name != "bare");
    let done = world.apply().unwrap();
    assert_eq!(done.statements_run.len(), 3);
    let first = done.created_slot.unwrap();
    assert_eq!(world.found(), []);
    let catalog = world.catalog();
    let publications = world.publications();
    assert_eq!(needed(&world.settings, &catalog, &publications).len(), 2);
    assert_eq!(world.apply().unwrap(), setup::Applied::default());
    assert_eq!(setup::adopt(&mut world.admin, &world.settings).unwrap(), first);
    world.run("INSERT INTO ord VALUES (1); UPDATE ord SET t = 'x'; DELETE FROM ord; INSERT INTO \"l'og\" VALUES (1)");
    world.run("UPDATE \"l'og\" SET id = 2; DELETE FROM \"l'og\"");
    world
        .run("CREATE TABLE later (id int PRIMARY KEY)")
        .follow("later", Publish::InsertsSuffice);
    let finding = &world.found()[0];
    assert_eq!(finding.code, "source.publication_lacks_table");
    assert_eq!(
        finding.repair.as_deref(),
        Some("ALTER PUBLICATION \"wb setup \"\"it's\"\"\" ADD TABLE \"public\".\"later\";")
    );
    assert_eq!(world.apply().unwrap().statements_run.len(), 1);
    assert_eq!(world.found(), []);
}

#[test]
fn publications_that_hide_or_break_are_named() {
    let Some(mut world) = World::new("hide") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, t text, u text); CREATE TABLE bare (id int)")
        .run("CREATE TABLE part (id int) PARTITION BY LIST (id); CREATE TABLE leaf PARTITION OF part DEFAULT")
        .run("ALTER TABLE leaf REPLICA IDENTITY FULL")
        .follow("ord", Publish::Everything)
        .follow("part", Publish::Everything);
    let name = quote::ident(&world.settings.publication);
    world.run(&format!(
        "CREATE PUBLICATION {name} FOR TABLE ord (t), part WITH (publish = 'insert, update')"
    ));
    assert_eq!(
        codes(&world.found()),
        [
            "source.publication_operations",
            "source.column_list",
            "source.publication_leaves",
            "source.column_list_identity"
        ]
    );
    for finding in world.found() {
        world.run(finding.repair.unwrap().trim_end_matches(';'));
    }
    assert_eq!(world.found(), []);
    world
        .run(&format!(
            "ALTER PUBLICATION {name} SET TABLE ord WHERE (id > 5), part, bare"
        ))
        .follow("bare", Publish::InsertsSuffice);
    let found = world.found();
    assert_eq!(
        codes(&found),
        [
            "source.publication_missing",
            "source.row_filter",
            "source.identity_missing"
        ]
    );
    assert_eq!(halted(world.apply()).code, "source.row_filter");
    world.run(&format!("DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR TABLES IN SCHEMA public WITH (publish_via_partition_root)"));
    world.settings.tables.retain(|one| one.name.name != "bare");
    assert_eq!(world.found(), []);
    assert!(
        world
            .publications()
            .values()
            .all(|facts| facts.members.values().all(|member| member.oid > 0))
    );
    world.run(&format!(
        "DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR ALL TABLES WITH (publish_via_partition_root)"
    ));
    assert_eq!(world.found(), []);
}

#[test]
fn a_partition_that_is_told_under_its_roots_name_is_refused() {
    let Some(mut world) = World::new("leaf") else { return };
    world
        .run("CREATE SCHEMA deep; CREATE TABLE part (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d)")
        .run("CREATE TABLE deep.mid PARTITION OF part FOR VALUES IN (1, 2) PARTITION BY LIST (d)")
        .run("CREATE TABLE leaf PARTITION OF deep.mid FOR VALUES IN (1)")
        .follow("leaf", Publish::Everything);
    let name = quote::ident(&world.settings.publication);
    world.run(&format!(
        "CREATE PUBLICATION {name} FOR TABLE leaf WITH (publish_via_partition_root)"
    ));
    assert_eq!(world.found(), []);
    for (covered, root) in [
        ("FOR TABLE leaf, part", "public.part"),
        ("FOR TABLE deep.mid, part", "public.part"),
        ("FOR TABLE deep.mid", "deep.mid"),
        ("FOR TABLES IN SCHEMA deep", "deep.mid"),
        ("FOR ALL TABLES", "public.part"),
    ] {
        world.run(&format!(
            "DROP PUBLICATION {name}; CREATE PUBLICATION {name} {covered} WITH (publish_via_partition_root)"
        ));
        let found = world.found();
        assert_eq!(codes(&found), ["source.publication_root"], "{covered}");
        assert!(
            found[0].what.contains(&format!("under the name of {root}")),
            "{covered}: {}",
            found[0].what
        );
        world.run(found[0].repair.as_ref().unwrap().rsplit_once(": ").unwrap().1);
        assert_eq!(world.found(), [], "{covered}");
    }
}

#[test]
fn a_root_and_its_partition_cannot_both_be_followed() {
    let Some(mut world) = World::new("family") else { return };
    world
        .run("CREATE TABLE part (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d)")
        .run("CREATE TABLE mid PARTITION OF part FOR VALUES IN (1, 2) PARTITION BY LIST (d)")
        .run("CREATE TABLE leaf PARTITION OF mid FOR VALUES IN (1)")
        .follow("leaf", Publish::Everything);
    let catalog = world.catalog();
    assert!(setup::plan(&world.settings, &catalog).is_ok());
    for (root, below) in [("part", "leaf"), ("mid", "leaf"), ("part", "mid")] {
        world.settings.tables.clear();
        world
            .follow(below, Publish::Everything)
            .follow(root, Publish::Everything);
        let finding = halted(world.apply());
        assert_eq!(finding.code, "source.publication_root");
        assert_eq!(
            finding.what,
            format!("public.{below} is a partition of public.{root}, and both are mapped")
        );
        assert!(world.publications().is_empty());
        let seen = preflight(&world.settings).unwrap();
        let said = seen
            .findings
            .iter()
            .filter(|finding| finding.code == "source.publication_root");
        assert_eq!(said.map(|finding| &finding.what).collect::<Vec<_>>(), [&finding.what]);
    }
}

#[test]
fn an_open_transaction_that_blocks_the_slot_is_named() {
    let Some(mut world) = World::new("block") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    let mut other = Sql::connect(&world.settings).unwrap();
    other
        .run("BEGIN READ WRITE; INSERT INTO public.ord VALUES (1)")
        .unwrap();
    let finding = halted(world.apply());
    assert_eq!(finding.code, "source.slot_blocked");
    assert!(finding.why.unwrap().contains("of postgres in wb \"block' since"));
    assert!(slot::read(&mut world.admin, &world.settings.slot).unwrap().is_none());
    other.run("COMMIT").unwrap();
    assert_eq!(world.apply().unwrap().statements_run.len(), 1);
    let made = |world: &mut World| slot::read(&mut world.admin, &world.settings.slot).unwrap();
    assert!(made(&mut world).is_some());

    // Made anew, it is dropped first: that is said, and the way on.
    other
        .run("BEGIN READ WRITE; INSERT INTO public.ord VALUES (2)")
        .unwrap();
    let finding = halted(world.renew());
    assert_eq!(finding.code, "source.slot_unmade");
    assert!(finding.why.unwrap().contains("of postgres in wb \"block' since"));
    assert!(finding.repair.unwrap().contains("walbridge recover"));
    assert!(made(&mut world).is_none());
    other.run("COMMIT").unwrap();
    world.renew().unwrap();
    assert!(made(&mut world).is_some());
}

#[test]
fn a_lock_that_ends_in_time_is_waited_for() {
    let Some(mut world) = World::new("lock") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY)")
        .follow("ord", Publish::Everything);
    let settings = world.settings.clone();
    let (told, waits) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        let mut other = Sql::connect(&settings).unwrap();
        other.run("BEGIN READ WRITE; LOCK TABLE public.ord").unwrap();
        told.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(3500));
        other.run("COMMIT").unwrap();
    });
    waits.recv().unwrap();
    assert_eq!(world.apply().unwrap().statements_run.len(), 2);
    holder.join().unwrap();
}
