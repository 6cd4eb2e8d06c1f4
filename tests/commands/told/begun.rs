//! What `init` makes of a URL, a server and a schema that nobody expected.

use std::collections::BTreeMap;

use crate::world::World;
use crate::world::line::{self, finished};
use crate::world::program;

#[test]
fn no_file_is_written_over_and_no_password_gets_into_one() {
    let Some(mut world) = World::new("init_safe") else {
        return;
    };
    world.run("CREATE TABLE other (id int PRIMARY KEY)");
    let out = world.config().with_file_name("begun.toml");
    let url = world.url();
    let (front, server) = url.split_once("postgres@").unwrap();
    let (address, database) = server.split_once('/').unwrap();
    for url in [
        format!("{front}postgres:hunter2@{server}"),
        format!("{front}postgres:hun/ter2@{server}"),
        format!("{front}postgres@{server}?password=hunter2&connect_timeout=9"),
        format!("{front}{address}/{database}?user=postgres&password=hunter2"),
        format!("{front}{address}?user=postgres&dbname={database}&password=hunter2"),
    ] {
        let begun = finished(program().args(["init", "--source", &url, "-o"]).arg(&out));
        assert_eq!(begun.code, 0, "{begun}");
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(!text.contains("ter2"), "{text}");
        let checked = finished(program().args(["check", "--offline", "-c"]).arg(&out));
        assert_eq!(checked.code, 0, "{url} {checked}");
        std::fs::remove_file(&out).unwrap();
    }
    std::fs::write(&out, "mine").unwrap();
    let again = finished(program().args(["init", "--source", &url, "-o"]).arg(&out));
    assert_eq!(again.code, 2, "{again}");
    assert!(again.err.contains("is there already"), "{again}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    let nowhere = out.with_file_name("no folder").join("begun.toml");
    let lost = finished(program().args(["init", "--source", &url, "-o"]).arg(&nowhere));
    assert_eq!(lost.code, 2, "{lost}");
    assert!(
        lost.out.contains("[entity.Other]") && lost.err.contains("so it is on stdout"),
        "{lost}"
    );
    let wrong = finished(program().args(["init", "--source", &format!("{front}postgres@{address}/nowhere")]));
    assert_eq!(wrong.code, 1, "{wrong}");
    assert!(
        wrong.err.contains("name an existing database in the URL of --source"),
        "{wrong}"
    );
    let away = finished(program().args(["init", "--source", "postgresql://a:hunter2@127.0.0.1:1/x"]));
    assert_eq!(away.code, 1, "{away}");
    assert!(
        away.err.contains("cannot look at the legacy database") && !away.err.contains("hunter2"),
        "{away}"
    );
}

#[test]
fn what_is_no_url_is_refused_by_name_and_not_repeated() {
    for (source, says) in [
        (
            "host=127.0.0.1 user=u password=hunter2 dbname=shop",
            "what --source names is no URL",
        ),
        ("postgresql://u:hunter2@h:port/shop", "cannot read the URL of --source"),
        ("postgresql:///shop", "the URL of --source names no host"),
    ] {
        let refused = finished(program().args(["init", "--source", source]));
        assert_eq!(refused.code, 2, "{refused}");
        assert!(
            refused.err.contains(says) && !refused.err.contains("hunter2"),
            "{refused}"
        );
        assert!(refused.out.is_empty(), "{refused}");
    }
}

/// A config that `init` begins for a world's database, with what it says.
fn begun(world: &World, more: &[&str]) -> (String, line::Ended) {
    let out = world.config().with_file_name("begun.toml");
    let ended = finished(
        program()
            .args(["init", "--source", &world.url(), "-o"])
            .arg(&out)
            .args(more),
    );
    (std::fs::read_to_string(&out).unwrap_or_default(), ended)
}

#[test]
fn a_sample_is_of_the_oldest_rows_and_of_the_newest() {
    let Some(mut world) = World::new("init_spread") else {
        return;
    };
    // Few rows a page, so that chance is left little room: of 90,000 rows about 450 pages are read, a third of them in each third.
    world.run(
        "CREATE TABLE shipment (id int PRIMARY KEY, sts char(1) NOT NULL) WITH (fillfactor = 10, autovacuum_enabled = false);
         INSERT INTO shipment SELECT n, (ARRAY['A', 'M', 'Z'])[1 + (n - 1) / 30000] FROM generate_series(1, 90000) n",
    );
    // Where nobody has counted, the size of the table says how many there may be.
    for (counted, least) in [("", 1), ("ANALYZE shipment", 1_000)] {
        world.run(counted);
        let (text, ended) = begun(&world, &[]);
        assert_eq!(ended.code, 0, "{ended}");
        let line = text.lines().find(|line| line.contains("\"sts\"")).unwrap();
        let counts = line.rsplit_once("seen: ").unwrap().1.split(", ");
        let seen: BTreeMap<&str, usize> = counts
            .filter_map(|part| part.split_once(' '))
            .map(|(code, count)| (code, count.parse().unwrap()))
            .collect();
        for third in ["\"A\"", "\"M\"", "\"Z\""] {
            assert!(seen.get(third).is_some_and(|count| *count >= least), "{third}: {line}");
        }
        std::fs::remove_file(world.config().with_file_name("begun.toml")).unwrap();
    }
}

#[test]
fn a_table_that_shows_no_rows_is_said_and_the_others_are_written() {
    let Some(mut world) = World::new("init_locked") else {
        return;
    };
    world.run("CREATE TABLE after (id int PRIMARY KEY, flg char(1)); INSERT INTO after SELECT n, 'Y' FROM generate_series(1, 20) n");
    let mut other = world.another_session();
    other
        .run("BEGIN; LOCK TABLE public.item IN ACCESS EXCLUSIVE MODE")
        .unwrap();
    let (text, ended) = begun(&world, &["--look-seconds", "1"]);
    assert_eq!(ended.code, 0, "{ended}");
    for said in [&text, &ended.err] {
        assert!(
            said.contains("guessed by names and types alone: the server did not show rows in time"),
            "{said}"
        );
    }
    assert!(
        text.contains("[entity.Item]") && text.contains("[entity.After]"),
        "{text}"
    );
    assert!(text.contains("# public.after: 20 rows looked at."), "{text}");
    other.run("ROLLBACK").unwrap();
}

#[test]
fn what_nothing_can_be_written_of_is_said() {
    let Some(mut world) = World::new("init_nothing") else {
        return;
    };
    let (text, ended) = begun(&world, &["sails"]);
    assert_eq!((ended.code, text.as_str()), (2, ""), "{ended}");
    assert!(ended.err.contains("no table is in sails of the database"), "{ended}");
    let (_, ended) = begun(&world, &["--name", "My Shop"]);
    assert_eq!(ended.code, 2, "{ended}");
    assert!(ended.err.contains("--name my_shop"), "{ended}");
    world.run("ALTER TABLE item DROP CONSTRAINT item_pkey");
    let (text, ended) = begun(&world, &[]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.err.contains("has a key, so there is no entity yet"), "{ended}");
    assert!(text.contains("# decide: nothing proves what is unique here"), "{text}");
}

#[test]
fn whatever_a_schema_holds_the_config_is_one_that_is_taken() {
    let Some(mut world) = World::new("init_odd") else {
        return;
    };
    world.run("DROP TABLE item").run(include_str!("legacy/odd.sql"));
    let database = world.name.clone();
    // A zone that is an offset and no place.
    world.run(&format!("ALTER DATABASE {database} SET timezone = 'CET'"));
    let (text, ended) = begun(&world, &[]);
    assert_eq!(ended.code, 0, "{ended}");
    let out = world.config().with_file_name("begun.toml");
    let checked = finished(program().args(["check", "--offline", "-c"]).arg(&out));
    assert_eq!(checked.code, 0, "{checked}");
    let mut shown = program();
    shown.args(["preview", "-c"]).arg(&out);
    let shown = finished(shown.env("WALBRIDGE_ID_KEY", "a key of these tests alone"));
    assert_eq!(shown.code, 0, "{shown}");
    for line in [
        r#"table = "\"a.b\".\"c.d\"""#,
        r#"quantityHome = { from = "Qty$${HOME}" }"#,
        r#"order = { from = "order" }"#,
        "# decide: a name with both a quote and a dot cannot stand in `table`",
        r#"# decide: events of changes and removals need the old row: ALTER TABLE "public"."parts_2" REPLICA IDENTITY FULL;"#,
        r#"# ALTER TABLE "public"."parts_3" REPLICA IDENTITY FULL;"#,
        "# public.parent: 30 rows looked at.",
        "# public.child: 300 rows looked at.",
        r#"where = "del_flg is distinct from 'X ' and deleted is distinct from 1 and void = ''"   # guess: others are deleted"#,
    ] {
        assert!(text.lines().any(|written| written == line), "{line}\n{text}");
    }
    for part in [
        "# decide: all that is unique here holds b, whose values cannot be told",
        r#"local = { from = "local", zone = "none" }   # guess: a time without zone, decide: "#,
        "# public.gone: 40 ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(
        !text.contains("public.seen") && !text.contains("\"public.parts_"),
        "{text}"
    );
}
