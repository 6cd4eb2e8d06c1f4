//! What the catalogue says of tables.

use walbridge::flow::catalog::{Generated, Nullable, SqlType, Surrogate, TableKind, Toast, UniqueKind};
use walbridge::flow::table::{ReplicaIdentity, TableName};
use walbridge::source::postgres::settings::Publish;

use crate::world::World;

const STRANGE: &str = "o'rd \"hdr\"; --{slot}\\";

/// A table with something of everything.
fn of_everything(world: &mut World) {
    let strange = STRANGE;
    let table = TableName::new("public", strange).quoted();
    world
        .run(&format!(
            "CREATE TYPE sts AS ENUM ('new', 'it''s'); CREATE DOMAIN pos AS numeric(10,2) NOT NULL; \
             CREATE DOMAIN yn AS char(1) CHECK (VALUE IN ('Y', 'N')); CREATE DOMAIN yyn AS yn; \
             CREATE TABLE {table} (id bigint PRIMARY KEY, gone int, s sts, d pos, f yyn, \
             c char(2) CHECK (c IN ('a', 'bb')), n int CHECK (n IN (1, -2)), t text COLLATE \"POSIX\", u text, \
             a int[], ad yyn[], g int GENERATED ALWAYS AS (n * 2) STORED, ts timestamp(3), j jsonb, x point, \
             ku text, kl text, v oidvector, UNIQUE (ku), UNIQUE (kl) DEFERRABLE, CHECK (n < 5))"
        ))
        .run(&format!("ALTER TABLE {table} ADD CHECK (u = 'a') NOT VALID; ALTER TABLE {table} DROP COLUMN gone; CREATE UNIQUE INDEX part ON {table} (n) WHERE n > 0"))
        .run(&format!("CREATE UNIQUE INDEX expr ON {table} (lower(t)); CREATE UNIQUE INDEX two ON {table} (n, ts) INCLUDE (u)"))
        .follow(strange, Publish::Everything)
        .follow("none", Publish::Everything);
}

#[test]
fn the_catalogue_is_read_as_it_is() {
    let Some(mut world) = World::new("read") else { return };
    of_everything(&mut world);
    let read = world.catalog();
    assert_eq!(
        (read.ctype.as_str(), read.encoding.as_str(), read.tables.len()),
        ("C", "UTF8", 1)
    );
    let facts = &read.tables[&TableName::new("public", STRANGE)];
    assert_eq!(facts.kind, TableKind::Ordinary);
    assert_eq!(
        (facts.identity.kind, facts.identity.columns.as_slice()),
        (ReplicaIdentity::Default, ["id".to_owned()].as_slice())
    );
    let of = |name: &str| facts.column(name).unwrap();
    assert!(facts.column("gone").is_none());
    let labels = vec!["new".to_owned(), "it's".to_owned()];
    assert_eq!(
        (&of("s").sql_type, &of("s").allowed),
        (&SqlType::Enum(labels.clone()), &Some(labels))
    );
    assert_eq!(
        (&of("d").sql_type, of("d").type_text.as_str(), of("d").nullable),
        (&SqlType::Numeric, "numeric(10,2)", Nullable::No)
    );
    assert_eq!(
        (&of("f").sql_type, of("f").type_text.as_str()),
        (&SqlType::Bpchar, "character(1)")
    );
    assert_eq!(of("f").allowed, Some(vec!["Y".to_owned(), "N".to_owned()]));
    assert_eq!(of("c").allowed, Some(vec!["a".to_owned(), "bb".to_owned()]));
    assert_eq!(of("n").allowed, Some(vec!["1".to_owned(), "-2".to_owned()]));
    assert_eq!(of("u").allowed, None);
    assert_eq!(
        (
            of("t").collation.as_str(),
            of("u").collation.as_str(),
            of("n").collation.as_str()
        ),
        ("POSIX", "C", "")
    );
    assert_eq!(of("a").sql_type, SqlType::Array(Box::new(SqlType::Int4)));
    assert_eq!(of("ad").sql_type, SqlType::Array(Box::new(SqlType::Bpchar)));
    assert_eq!((of("g").generated, of("n").generated), (Generated::Yes, Generated::No));
    assert_eq!((of("j").toast, of("ts").toast), (Toast::Possible, Toast::Never));
    assert_eq!(
        (&of("x").sql_type, &of("v").sql_type),
        (
            &SqlType::Other("point".to_owned()),
            &SqlType::Other("oidvector".to_owned())
        )
    );
    assert_eq!(
        (&of("ts").sql_type, of("ts").type_text.as_str()),
        (&SqlType::Timestamp, "timestamp(3) without time zone")
    );
    let uniques: Vec<(UniqueKind, String)> = facts.uniques.iter().map(|u| (u.kind, u.columns.join(","))).collect();
    assert_eq!(
        uniques,
        [
            (UniqueKind::PrimaryKey, "id".to_owned()),
            (UniqueKind::Unique, "ku".to_owned()),
            (UniqueKind::Unique, "n,ts".to_owned())
        ]
    );
    let table = TableName::new("public", STRANGE).quoted();
    world.run(&format!("ALTER TABLE {table} REPLICA IDENTITY FULL"));
    let full = world.catalog().tables[&TableName::new("public", STRANGE)]
        .identity
        .clone();
    assert!(full.kind == ReplicaIdentity::Full && full.columns.len() == 16 && !full.columns.contains(&"g".to_owned()));
}

#[test]
fn numbers_that_only_the_database_gives_out_are_followed_to_where_they_are_counted() {
    let Some(mut world) = World::new("counted") else { return };
    world
        .run(
            "CREATE DOMAIN number AS int; CREATE SEQUENCE shared; \
             CREATE TABLE root (id bigint GENERATED ALWAYS AS IDENTITY, year int, PRIMARY KEY (id, year)); \
             CREATE TABLE child (id int8 PRIMARY KEY, year int, FOREIGN KEY (id, year) REFERENCES root); \
             CREATE TABLE leaf (own number DEFAULT nextval('shared') PRIMARY KEY, child int8 REFERENCES child, \
             self int REFERENCES leaf, shown text DEFAULT 'A-' || nextval('shared'), year int, free int UNIQUE)",
        )
        .follow("leaf", Publish::Everything)
        .follow("child", Publish::Everything);
    let read = world.catalog();
    let of = |table: &str, column: &str| {
        let facts = &read.tables[&TableName::new("public", table)];
        facts.column(column).unwrap().surrogate.clone()
    };
    let refers = |table: &str, column: &str| {
        Some(Surrogate::RefersTo {
            table: TableName::new("public", table),
            column: column.to_owned(),
        })
    };
    assert_eq!(of("leaf", "own"), Some(Surrogate::Counted));
    assert_eq!(of("leaf", "child"), refers("root", "id"));
    assert_eq!(of("leaf", "self"), refers("leaf", "own"));
    assert_eq!(of("child", "id"), refers("root", "id"));
    for (table, column) in [("leaf", "shown"), ("leaf", "year"), ("leaf", "free"), ("child", "year")] {
        assert_eq!(of(table, column), None, "{table}.{column}");
    }
}
