//! Passwords, TLS, Unix sockets, and what does not speak PostgreSQL.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use walbridge::secret::Secret;
use walbridge::source::postgres::Postgres;
use walbridge::source::postgres::settings::{Address, Create, Md5, Publish, Settings, Tls};
use walbridge::source::{Source as _, SourceError};

use crate::cluster::Cluster;
use crate::reader::{Heard, begin};
use crate::world::{World, halted};

const HBA: &str = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all wb_scram 127.0.0.1/32 scram-sha-256\n\
     host all wb_md5 127.0.0.1/32 md5\nhost all wb_clear 127.0.0.1/32 password\n";

/// One row comes over a connection with these settings.
pub fn flows(world: &mut World, settings: &Settings) {
    let mut source = Postgres::new(settings.clone());
    begin(&mut source, None);
    let encrypted = "SELECT coalesce(bool_and(ssl), false) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)";
    let wanted = settings.login.trust.tls != Tls::Disable && matches!(settings.login.hosts[0], Address::Tcp { .. });
    assert_eq!(world.admin.one(encrypted, &[]).unwrap().get::<_, bool>(0), wanted);
    world.run("INSERT INTO ord VALUES (1, repeat('x', 200000)); DELETE FROM ord");
    let mut heard = Heard::default();
    heard.commits(&mut source, 1).unwrap();
    assert_eq!(
        heard.lines,
        [
            "begin",
            "public.ord + 1,200000 bytes",
            "public.ord - key 1,null",
            "commit"
        ]
    );
    drop(source);
    let dropped = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
    while world.admin.run(dropped).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn prepared(cluster: &Cluster, name: &str) -> World {
    let mut world = World::on(cluster.url(), name);
    world
        .run("CREATE TABLE ord (id int PRIMARY KEY, note text); ALTER TABLE ord ALTER note SET STORAGE EXTERNAL")
        .follow("ord", Publish::Everything);
    world.settings.create = Create::OnFirstStart;
    world
}

fn transient(settings: &Settings) -> String {
    match Postgres::new(settings.clone()).hold() {
        Err(SourceError::Transient(why)) => why,
        other => panic!("not transient: {other:?}"),
    }
}

fn refused(settings: &Settings) -> &'static str {
    halted(Postgres::new(settings.clone()).hold()).code
}

#[test]
fn every_kind_of_password_is_spoken_and_none_goes_out_in_the_clear() {
    let Some(cluster) = Cluster::new("", HBA) else { return };
    let mut world = prepared(&cluster, "passwords");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    for (user, encryption) in [("wb_scram", "scram-sha-256"), ("wb_md5", "md5"), ("wb_clear", "md5")] {
        world.run(&format!(
            "SET password_encryption = '{encryption}'; CREATE ROLE {user} LOGIN SUPERUSER PASSWORD 'hunter2'"
        ));
        let mut settings = world.settings.clone();
        settings.login.user = user.to_owned();
        if user == "wb_md5" {
            assert_eq!(refused(&settings), "source.md5_refused");
            settings.login.trust.md5 = Md5::Allowed;
        }
        let expected = if user == "wb_clear" {
            "source.password_in_the_clear"
        } else {
            "source.password_missing"
        };
        assert_eq!(refused(&settings), expected);
        std::fs::write(&path, "hunter3").unwrap();
        settings.login.password = Some(Secret::File(path.clone()));
        if user == "wb_clear" {
            assert_eq!(refused(&settings), "source.password_in_the_clear");
            continue;
        }
        let finding = halted(Postgres::new(settings.clone()).hold());
        assert_eq!(finding.code, "source.password_refused");
        assert!(!finding.to_string().contains("hunter"));
        std::fs::write(&path, "hunter2").unwrap();
        flows(&mut world, &settings);
    }
    let mut nobody = world.settings.clone();
    nobody.login.user = "nobody".to_owned();
    assert_eq!(refused(&nobody), "source.no_entry");
    let mut nowhere = world.settings.clone();
    nowhere.login.database = "none".to_owned();
    assert_eq!(refused(&nowhere), "source.database_missing");
}

#[test]
fn rows_come_over_tls_and_only_from_whom_the_authority_names() {
    let Some(cluster) = Cluster::new("", HBA) else { return };
    let world = prepared(&cluster, "tls");
    let mut settings = world.settings.clone();
    settings.login.trust.tls = Tls::Require;
    assert_eq!(refused(&settings), "source.tls_unsupported");
    drop(world);
    let authority = cluster.certify();
    let mut world = prepared(&cluster, "tls");
    flows(&mut world, &settings);
    settings.login.trust.tls = Tls::VerifyFull;
    settings.login.trust.root_cert = Some(authority);
    assert_eq!(refused(&settings), "source.certificate_name");
    settings.login.hosts = vec![Address::Tcp {
        host: "localhost".to_owned(),
        port: cluster.port,
    }];
    flows(&mut world, &settings);
    settings.login.trust.root_cert = None;
    assert!(["source.certificate_issuer", "source.tls"].contains(&refused(&settings)));
}

#[test]
fn a_unix_socket_is_spoken() {
    let Some(cluster) = Cluster::new("", HBA) else { return };
    let mut world = prepared(&cluster, "unix");
    let mut settings = world.settings.clone();
    settings.login.hosts = vec![Address::Unix {
        directory: cluster.socket_directory(),
        port: cluster.port,
    }];
    settings.login.trust.tls = Tls::VerifyFull;
    flows(&mut world, &settings);
    settings.login.hosts = vec![Address::Unix {
        directory: cluster.socket_directory(),
        port: 1,
    }];
    assert!(transient(&settings).contains(".s.PGSQL.1"));
}

#[test]
fn what_does_not_speak_postgresql_is_said() {
    let Some(world) = World::new("strangers") else { return };
    let answers: [(Tls, &[u8], Option<&str>); 6] = [
        (
            Tls::Disable,
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Some("source.not_postgresql"),
        ),
        (
            Tls::Require,
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Some("source.not_postgresql"),
        ),
        (Tls::Require, b"N", Some("source.tls_unsupported")),
        // Who asks for nothing.
        (
            Tls::Disable,
            b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01Z\0\0\0\x05I",
            Some("source.not_postgresql"),
        ),
        (Tls::Require, b"", None),
        (Tls::Disable, b"R\0\0", None),
    ];
    for (tls, answer, expected) in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = answer.to_vec();
        let stranger = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 1024]).unwrap();
            socket.write_all(&answer).unwrap();
        });
        let mut settings = world.settings.clone();
        settings.login.trust.tls = tls;
        settings.login.hosts = vec![Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        }];
        match expected {
            Some(code) => assert_eq!(refused(&settings), code),
            None => assert!(
                transient(&settings).contains("PostgreSQL"),
                "{:?}",
                transient(&settings)
            ),
        }
        stranger.join().unwrap();
    }
    let mut settings = world.settings.clone();
    settings.login.hosts = vec![Address::Tcp {
        host: "no such host".to_owned(),
        port: 5432,
    }];
    assert!(transient(&settings).contains("no such host"));
}
