//! Connections, rights, and what `check` says.

use std::path::PathBuf;

use walbridge::finding::{Finding, Severity};
use walbridge::flow::table::TableName;
use walbridge::secret::Secret;
use walbridge::source::SourceError;
use walbridge::source::postgres::preflight::{Surroundings, preflight};
use walbridge::source::postgres::settings::{Address, Create, Publish, Tls, Trust};
use walbridge::source::postgres::sql::{Sql, quote};
use walbridge::source::postgres::{setup, slot};

use crate::cluster::Cluster;
use crate::world::{World, codes, halted};

#[test]
fn the_grants_and_the_way_back_are_sql_that_runs() {
    let Some(mut world) = World::new("grants") else { return };
    world
        .run("CREATE TABLE \"o'rd\" (id int PRIMARY KEY)")
        .follow("o'rd", Publish::Everything);
    world.apply().unwrap();
    world.settings.login.user = "wb 'role\" {slot}".to_owned();
    let role = quote::ident(&world.settings.login.user);
    for _ in 0..2 {
        let grants = setup::grants_sql(&world.settings);
        world.admin.run(&grants).unwrap();
    }
    let found = preflight(&world.settings).unwrap().findings;
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
    let found = preflight(&world.settings).unwrap().findings;
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
fn check_says_what_the_server_lacks() {
    let Some(mut world) = World::new("check") else { return };
    world
        .run("CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS id; CREATE TABLE ord_hdr (id int PRIMARY KEY)")
        .follow("scratch", Publish::Everything)
        .follow("v", Publish::Everything)
        .follow("ord_hrd", Publish::Everything);
    let Surroundings {
        catalog,
        findings: found,
        ..
    } = preflight(&world.settings).unwrap();
    assert_eq!(catalog.tables.len(), 2);
    let errors: Vec<Finding> = found.into_iter().filter(|f| f.severity == Severity::Error).collect();
    assert_eq!(codes(&errors), ["source.publication_missing", "source.slot_missing"]);
    let nearest = catalog.nearest.get(&TableName::new("public", "ord_hrd"));
    assert_eq!(nearest.map(String::as_str), Some("public.ord_hdr"));
    world.settings.create = Create::OnFirstStart;
    let found = preflight(&world.settings).unwrap().findings;
    assert!(
        found
            .iter()
            .any(|f| f.code == "source.slot_missing" && f.severity == Severity::Note)
    );
    let mut session = Sql::connect(&world.settings).unwrap();
    assert_eq!(halted(session.run("CREATE TABLE no (id int)")).code, "source.read_only");
    let mut encrypted = world.settings.clone();
    encrypted.login.trust.tls = Tls::Require;
    assert_eq!(halted(Sql::connect(&encrypted)).code, "source.tls_unsupported");
    let mut other = world.settings.clone();
    other.login.database = "not there".to_owned();
    assert_eq!(halted(Sql::connect(&other)).code, "source.database_missing");
    let mut closed = world.settings.clone();
    closed.login.hosts = vec![Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 1,
    }];
    assert!(matches!(Sql::connect(&closed), Err(SourceError::Transient(_))));
}

#[test]
fn the_certificate_of_the_server_is_verified() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let authority = cluster.certify();
    let mut world = World::on(cluster.url(), "tls");
    let port = cluster.port;
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    world.settings.login.hosts = vec![Address::Tcp {
        host: "localhost".to_owned(),
        port,
    }];
    world.settings.login.trust.tls = Tls::Require;
    assert!(
        Sql::connect(&world.settings)
            .unwrap()
            .one(encrypted, &[])
            .unwrap()
            .get::<_, bool>(0)
    );
    world.settings.login.trust.tls = Tls::VerifyFull;
    assert_eq!(halted(Sql::connect(&world.settings)).code, "source.certificate_issuer");
    world.settings.login.trust.root_cert = Some(authority);
    assert!(
        Sql::connect(&world.settings)
            .unwrap()
            .one(encrypted, &[])
            .unwrap()
            .get::<_, bool>(0)
    );
    world.settings.login.hosts = vec![Address::Tcp {
        host: "127.0.0.1".to_owned(),
        port,
    }];
    assert_eq!(halted(Sql::connect(&world.settings)).code, "source.certificate_name");
    world.settings.login.trust.root_cert = Some(PathBuf::from("/nowhere"));
    assert_eq!(halted(Sql::connect(&world.settings)).code, "source.tls");
}

#[test]
fn a_refused_role_halts_and_no_message_holds_the_password() {
    let hba = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all wb_pw 127.0.0.1/32 scram-sha-256\n";
    let Some(cluster) = Cluster::new("", hba) else { return };
    let mut world = World::on(cluster.url(), "auth");
    world.run("CREATE ROLE wb_pw LOGIN PASSWORD 'hunter2'");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "hunter3\n").unwrap();
    world.settings.login.user = "wb_pw".to_owned();
    assert_eq!(halted(Sql::connect(&world.settings)).code, "source.password_missing");
    world.settings.login.password = Some(Secret::File(path.clone()));
    let refused = halted(Sql::connect(&world.settings));
    assert_eq!(refused.code, "source.password_refused");
    assert!(!refused.to_string().contains("hunter"));
    std::fs::write(&path, "hunter2\n").unwrap();
    let mut sql = Sql::connect(&world.settings).unwrap();
    assert!(setup::server(&mut sql).unwrap().system_identifier.len() > 10);
    world.settings.login.user = "wb_nohba".to_owned();
    assert_eq!(halted(Sql::connect(&world.settings)).code, "source.no_entry");
    let url = "postgresql://u:hunter2@[bad";
    assert!(
        !halted(Sql::connect_as(url, &Trust::of(Tls::Disable)))
            .to_string()
            .contains("hunter")
    );
}
