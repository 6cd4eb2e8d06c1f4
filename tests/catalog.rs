//! The catalogue, the set-up and the watch against a real PostgreSQL: `WALBRIDGE_TEST_PG` is a superuser's URL.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use walbridge::finding::{Finding, Severity};
use walbridge::flow::catalog::{Catalog, Generated, Nullable, SqlType, TableKind, Toast, UniqueKind};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::flow::table::{ReplicaIdentity, TableName};
use walbridge::source::SourceError;
use walbridge::source::postgres::preflight::preflight;
use walbridge::source::postgres::proof::{Ground, Server, prove};
use walbridge::source::postgres::publication::{Publications, check, needed};
use walbridge::source::postgres::settings::{Address, Create, FollowedTable, Publish, Settings, Tls};
use walbridge::source::postgres::sql::{Sql, quote};
use walbridge::source::postgres::watch::Watch;
use walbridge::source::postgres::{catalog, publication, setup, slot};

/// A database and a slot of its own, dropped at the end.
struct World {
    admin: Sql,
    settings: Settings,
    root_url: String,
    _turn: MutexGuard<'static, ()>,
}

/// A slot's creation waits for every open transaction of the server: one test at a time.
static TURN: Mutex<()> = Mutex::new(());

impl World {
    fn new(name: &str) -> Option<Self> {
        let Ok(url) = std::env::var("WALBRIDGE_TEST_PG") else {
            eprintln!("skipped: WALBRIDGE_TEST_PG is not set");
            return None;
        };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let database = format!("wb \"{name}'");
        let slot = format!("wb_{name}");
        let mut root = Sql::connect_as(&url, None).unwrap();
        drop_all(&mut root, &database, &slot);
        root.run(&format!(
            "CREATE DATABASE {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING 'UTF8'",
            quote::ident(&database)
        ))
        .unwrap();
        let (before, _) = url.rsplit_once('/').unwrap();
        let encoded: String = database.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let admin = Sql::connect_as(&format!("{before}/{encoded}"), None).unwrap();
        let (_, place) = before.rsplit_once('@').unwrap();
        let (host, port) = place.rsplit_once(':').unwrap();
        let settings = Settings {
            address: Address::Tcp {
                host: host.to_owned(),
                port: port.parse().unwrap(),
            },
            user: "postgres".to_owned(),
            password: None,
            database,
            tls: Tls::Disable,
            root_cert: None,
            slot,
            publication: format!("wb {name} \"it's\""),
            create: Create::Never,
            tables: Vec::new(),
            row_bytes_max: 1 << 20,
            buffer_bytes_max: 1 << 20,
        };
        Some(Self {
            admin,
            settings,
            root_url: url,
            _turn: turn,
        })
    }

    fn follow(&mut self, name: &str, publish: Publish) -> &mut Self {
        self.settings.tables.push(FollowedTable {
            name: TableName::new("public", name),
            publish,
        });
        self
    }

    fn run(&mut self, sql: &str) -> &mut Self {
        self.admin
            .run(&format!(
                "SET search_path = public; {sql}; SET search_path = pg_catalog"
            ))
            .unwrap();
        self
    }

    fn catalog(&mut self) -> Catalog {
        let names: Vec<TableName> = self.settings.tables.iter().map(|one| one.name.clone()).collect();
        catalog::read(&mut self.admin, &names).unwrap()
    }

    fn publications(&mut self) -> Publications {
        publication::read(&mut self.admin, &self.settings).unwrap()
    }

    fn found(&mut self) -> Vec<Finding> {
        let catalog = self.catalog();
        let publications = self.publications();
        check(&self.settings, &catalog, &publications)
    }

    fn apply(&mut self) -> Result<setup::Applied, SourceError> {
        let catalog = self.catalog();
        setup::apply_within(&mut self.admin, &self.settings, &catalog, Duration::from_secs(3))
    }

    fn first(&mut self, lsn: Lsn) -> Checkpoint {
        let ground = self.ground();
        ground.first(&self.settings, &server(), lsn)
    }

    fn ground(&mut self) -> Ground {
        let catalog = self.catalog();
        let publications = self.publications();
        Ground::new(&self.settings, &catalog, &publications)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Ok(mut root) = Sql::connect_as(&self.root_url, None) {
            drop_all(&mut root, &self.settings.database, &self.settings.slot);
        }
    }
}

fn drop_all(root: &mut Sql, database: &str, slot: &str) {
    let drop = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {}",
        quote::literal(slot)
    );
    root.run(&drop).unwrap();
    root.run(&format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        quote::ident(database)
    ))
    .unwrap();
}

fn server() -> Server {
    Server {
        system_identifier: "1".to_owned(),
        timeline: 1,
        end_lsn: Lsn(u64::MAX),
        history: None,
    }
}

fn halted<T: std::fmt::Debug>(outcome: Result<T, SourceError>) -> Finding {
    match outcome {
        Err(SourceError::Halt(finding)) => *finding,
        other => panic!("no halt: {other:?}"),
    }
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn the_catalogue_is_read_as_it_is() {
    let Some(mut world) = World::new("read") else { return };
    let strange = "o'rd \"hdr\"; --{slot}\\";
    let table = quote::table(&TableName::new("public", strange));
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
    let read = world.catalog();
    assert_eq!(
        (read.ctype.as_str(), read.encoding.as_str(), read.tables.len()),
        ("C", "UTF8", 1)
    );
    let facts = &read.tables[&TableName::new("public", strange)];
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
    world.run(&format!("ALTER TABLE {table} REPLICA IDENTITY FULL"));
    let full = world.catalog().tables[&TableName::new("public", strange)]
        .identity
        .clone();
    assert!(full.kind == ReplicaIdentity::Full && full.columns.len() == 16 && !full.columns.contains(&"g".to_owned()));
}

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
fn the_grants_and_the_way_back_are_sql_that_runs() {
    let Some(mut world) = World::new("grants") else { return };
    world
        .run("CREATE TABLE \"o'rd\" (id int PRIMARY KEY)")
        .follow("o'rd", Publish::Everything);
    world.apply().unwrap();
    world.settings.user = "wb 'role\" {slot}".to_owned();
    let role = quote::ident(&world.settings.user);
    for _ in 0..2 {
        let grants = setup::grants_sql(&world.settings);
        world.admin.run(&grants).unwrap();
    }
    let (_, found) = preflight(&world.settings).unwrap();
    assert!(
        found
            .iter()
            .all(|f| f.severity != Severity::Error && f.code != "source.select"),
        "{found:?}"
    );
    world
        .admin
        .run(&format!(
            "ALTER ROLE {role} NOREPLICATION; REVOKE SELECT ON public.\"o'rd\" FROM {role}"
        ))
        .unwrap();
    let (_, found) = preflight(&world.settings).unwrap();
    assert!(codes(&found).contains(&"source.role_replication") && codes(&found).contains(&"source.select"));
    let away = setup::removal_sql(&world.settings).replace(
        "REVOKE SELECT",
        "GRANT SELECT ON public.\"o'rd\" TO PUBLIC; REVOKE SELECT",
    );
    // Dropping a slot and making publications are refused inside one transaction block: one statement at a time.
    for statement in away.lines().filter(|line| !line.starts_with("--")) {
        world.admin.run(statement).unwrap();
    }
    assert!(slot::read(&mut world.admin, &world.settings.slot).unwrap().is_none());
    assert!(
        halted(Sql::connect(&world.settings))
            .code
            .starts_with("source.role_refused")
    );
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
        world.run(&finding.repair.unwrap().trim_end_matches(';').to_owned());
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
fn check_says_what_the_server_lacks() {
    let Some(mut world) = World::new("check") else { return };
    world
        .run("CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS id; CREATE TABLE ord_hdr (id int PRIMARY KEY)")
        .follow("scratch", Publish::Everything)
        .follow("v", Publish::Everything)
        .follow("ord_hrd", Publish::Everything);
    let (catalog, found) = preflight(&world.settings).unwrap();
    assert_eq!(catalog.tables.len(), 2);
    let errors: Vec<Finding> = found.into_iter().filter(|f| f.severity == Severity::Error).collect();
    assert_eq!(
        codes(&errors),
        [
            "source.table_unpublishable",
            "source.table_unpublishable",
            "source.table_unknown",
            "source.publication_missing",
            "source.slot_missing"
        ]
    );
    assert_eq!(
        errors[2].repair.as_deref(),
        Some("table = \"public.ord_hdr\", if that is meant")
    );
    world.settings.create = Create::OnFirstStart;
    let (_, found) = preflight(&world.settings).unwrap();
    assert!(
        found
            .iter()
            .any(|f| f.code == "source.slot_missing" && f.severity == Severity::Note)
    );
    let mut session = Sql::connect(&world.settings).unwrap();
    assert_eq!(halted(session.run("CREATE TABLE no (id int)")).code, "source.read_only");
    let other = Settings {
        database: "not there".to_owned(),
        ..world.settings.clone()
    };
    assert_eq!(halted(Sql::connect(&other)).code, "source.database_missing");
    let closed = Settings {
        address: Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 1,
        },
        ..world.settings.clone()
    };
    assert!(matches!(Sql::connect(&closed), Err(SourceError::Transient(_))));
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
}

#[test]
fn a_difference_halts_the_watch_and_the_next_start() {
    let Some(mut world) = World::new("watch") else { return };
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, t text); ALTER TABLE ord REPLICA IDENTITY FULL; CREATE TABLE filled (id int, d int)")
        .run("CREATE TABLE part (id int, d int) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1)")
        .run("ALTER TABLE part REPLICA IDENTITY FULL; ALTER TABLE p1 REPLICA IDENTITY FULL; ALTER TABLE filled REPLICA IDENTITY FULL")
        .follow("ord", Publish::Everything)
        .follow("part", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let name = quote::ident(&world.settings.publication);
    let steps: BTreeMap<&str, String> = BTreeMap::from([
        (
            "source.table_readded",
            format!("ALTER PUBLICATION {name} DROP TABLE ord; ALTER PUBLICATION {name} ADD TABLE ord"),
        ),
        ("source.table_left", format!("ALTER PUBLICATION {name} DROP TABLE ord")),
        (
            "source.identity_weaker",
            "ALTER TABLE ord REPLICA IDENTITY DEFAULT".to_owned(),
        ),
        (
            "source.publication_operations",
            format!("ALTER PUBLICATION {name} SET (publish = 'insert')"),
        ),
        (
            "source.partition_attached",
            "ALTER TABLE part ATTACH PARTITION filled FOR VALUES IN (7)".to_owned(),
        ),
        ("source.table_gone", "DROP TABLE ord".to_owned()),
        (
            "source.publication_recreated",
            format!(
                "DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR TABLE part WITH (publish_via_partition_root)"
            ),
        ),
        ("source.publication_gone", format!("DROP PUBLICATION {name}")),
    ]);
    let order = [
        "source.table_readded",
        "source.identity_weaker",
        "source.publication_operations",
        "source.partition_attached",
        "source.table_left",
        "source.table_gone",
        "source.publication_recreated",
        "source.publication_gone",
    ];
    for code in order {
        if code == "source.table_gone" {
            world.run(&format!("ALTER PUBLICATION {name} ADD TABLE ord"));
        }
        let checkpoint = world.first(lsn);
        let mut watch = Watch::new(world.settings.clone(), checkpoint.clone());
        let seen = watch.look().unwrap();
        assert!(seen.news.is_empty() && seen.slot_confirmed == lsn && seen.server_lsn >= lsn);
        world.run(&steps[code]);
        let finding = halted(watch.look());
        assert_eq!(finding.code, code, "{finding}");
        assert!(finding.repair.is_some(), "{finding}");
        let facts = slot::read(&mut world.admin, &world.settings.slot).unwrap();
        let ground = world.ground();
        let proven = prove(Some(checkpoint), facts.as_ref(), &server(), &ground, &world.settings);
        match code {
            "source.publication_operations" | "source.partition_attached" => assert!(proven.is_ok()),
            _ => assert_eq!(halted(proven).code, code),
        }
        match code {
            "source.table_readded" | "source.partition_attached" => {}
            "source.identity_weaker" => {
                world.run("ALTER TABLE ord REPLICA IDENTITY FULL");
            }
            "source.table_gone" => {
                world.settings.tables.retain(|one| one.name.name != "ord");
            }
            "source.publication_operations" => {
                world.run(&format!(
                    "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')"
                ));
            }
            _ => {}
        }
    }
}

#[test]
fn partitions_that_come_empty_or_go_are_news() {
    let Some(mut world) = World::new("leaves") else { return };
    world
        .run("CREATE TABLE part (id int, d int, PRIMARY KEY (id, d)) PARTITION BY LIST (d); CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1)")
        .follow("part", Publish::Everything);
    let lsn = world.apply().unwrap().created_slot.unwrap();
    let checkpoint = world.first(lsn);
    let mut watch = Watch::new(world.settings.clone(), checkpoint);
    watch.look().unwrap();
    world.run("CREATE TABLE p2 PARTITION OF part FOR VALUES IN (2)");
    assert_eq!(codes(&watch.look().unwrap().news), ["source.partition_made"]);
    assert_eq!(watch.look().unwrap().news, []);
    world.run("DROP TABLE p2");
    assert_eq!(codes(&watch.look().unwrap().news), ["source.partition_gone"]);
    world.run("CREATE TABLE p3 PARTITION OF part FOR VALUES IN (3); ALTER TABLE p3 REPLICA IDENTITY NOTHING");
    assert_eq!(halted(watch.look()).code, "source.identity_weaker");
}
