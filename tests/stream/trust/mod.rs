//! Every way to be trusted by a server and to trust one, right and wrong, with what is said.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use walbridge::finding::Finding;
use walbridge::secret::Secret;
use walbridge::source::postgres::Postgres;
use walbridge::source::postgres::settings::{Address, Binding, ClientCert, Md5, Settings, Target, Tls};
use walbridge::source::postgres::sql::Sql;
use walbridge::source::{Source as _, SourceError};

use crate::cluster::Cluster;
use crate::connecting::{flows, prepared};
use crate::trust::certificates::{GOOD, Server, authorities, file, self_signed};
use crate::world::World;

mod certificates;

const HBA: &str = "local all all trust\nlocal replication all trust\nhost all postgres 127.0.0.1/32 trust\nhostssl all wb_cert 127.0.0.1/32 cert\n\
     host all wb_scram 127.0.0.1/32 scram-sha-256\nhost all wb_md5 127.0.0.1/32 md5\nhost all wb_clear 127.0.0.1/32 password\n";

struct Scene {
    world: World,
    settings: Settings,
    cluster: Cluster,
    home: tempfile::TempDir,
}

/// A server with TLS and one role for each way to log in, whose password is `hunter2`.
fn scene(name: &str) -> Option<Scene> {
    let cluster = Cluster::new("", HBA)?;
    authorities(&cluster);
    GOOD.install(&cluster);
    cluster.set("ssl=on\nssl_ca_file='ca.pem'");
    cluster.reload();
    let mut world = prepared(&cluster, name);
    for (role, encryption) in [
        ("wb_cert", "scram-sha-256"),
        ("wb_scram", "scram-sha-256"),
        ("wb_md5", "md5"),
        ("wb_clear", "scram-sha-256"),
    ] {
        world.run(&format!(
            "SET password_encryption = '{encryption}'; CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'hunter2'"
        ));
    }
    let home = tempfile::tempdir().unwrap();
    let password = home.path().join("password");
    std::fs::write(&password, "hunter2").unwrap();
    let mut settings = world.settings.clone();
    settings.login.hosts = vec![host("localhost", cluster.port)];
    settings.login.user = "wb_scram".to_owned();
    settings.login.password = Some(Secret::File(password));
    settings.login.trust.tls = Tls::VerifyFull;
    settings.login.trust.root_cert = Some(file(&cluster, "ca.pem"));
    Some(Scene {
        world,
        settings,
        cluster,
        home,
    })
}

fn host(name: &str, port: u16) -> Address {
    Address::Tcp {
        host: name.to_owned(),
        port,
    }
}

fn finding(settings: &Settings) -> Finding {
    match Postgres::new(settings.clone()).hold() {
        Err(SourceError::Halt(finding)) => *finding,
        other => panic!("no halt: {other:?}"),
    }
}

/// Code, words and repair of what is said.
fn said(settings: &Settings, (code, what, repair): (&str, &str, &str)) {
    let finding = finding(settings);
    assert_eq!(finding.code, code, "{finding}");
    assert!(finding.what.contains(what), "{finding}");
    let repaired = finding.repair.as_deref().unwrap_or_default();
    assert!(repaired.contains(repair), "{finding}");
}

/// A reload takes a moment.
fn until(settings: &Settings, expected: (&str, &str, &str)) {
    let begun = Instant::now();
    loop {
        match Sql::connect(settings) {
            Err(SourceError::Halt(finding)) if finding.code == expected.0 => break,
            _ if begun.elapsed() > Duration::from_secs(5) => break,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    said(settings, expected);
}

/// As `settings`, with another `sslmode` and another file of certificates that are believed.
fn believing(settings: &Settings, tls: Tls, root_cert: Option<PathBuf>) -> Settings {
    let mut out = settings.clone();
    out.login.trust.tls = tls;
    out.login.trust.root_cert = root_cert.or(out.login.trust.root_cert);
    out
}

#[test]
fn a_certificate_of_another_name_is_said_to_be() {
    let Some(mut scene) = scene("names") else { return };
    let (settings, cluster) = (&scene.settings, &scene.cluster);
    flows(&mut scene.world, settings);
    let elsewhere = Server {
        extensions: "basicConstraints=CA:FALSE\nsubjectAltName=DNS:elsewhere.example,IP:10.0.0.1",
        ..GOOD
    };
    let in_subject = Server {
        subject: "/CN=localhost",
        extensions: "basicConstraints=CA:FALSE",
        ..GOOD
    };
    let misnamed = "not for \"localhost\" but for elsewhere.example, 10.0.0.1";
    let unnamed = "only in its subject (localhost)";
    let by_chain = believing(settings, Tls::VerifyCa, None);
    for (server, expected) in [
        (elsewhere, ("source.certificate_name", misnamed, "verify-ca")),
        (
            in_subject,
            ("source.certificate_subject", unnamed, "subjectAltName = DNS:localhost"),
        ),
    ] {
        server.install(cluster);
        until(settings, expected);
        flows(&mut scene.world, &by_chain);
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_named_with_its_repair() {
    let Some(mut scene) = scene("chains") else { return };
    let (settings, cluster) = (&scene.settings, &scene.cluster);
    let by_chain = believing(settings, Tls::VerifyCa, None);
    let unlooked = believing(settings, Tls::Require, None);
    let pinned = believing(settings, Tls::VerifyCa, Some(file(cluster, "server.crt")));
    let expired = Server { days: -1, ..GOOD };
    let first_version = Server { extensions: "", ..GOOD };
    let authority = Server {
        extensions: "basicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:localhost",
        ..GOOD
    };
    let stranger = Server {
        authority: "stranger",
        ..GOOD
    };
    for (server, expected) in [
        (
            expired,
            ("source.certificate_expired", "it ended on 20", "ssl_cert_file"),
        ),
        (
            first_version,
            ("source.certificate_version", "version 1", "openssl s_client"),
        ),
        (authority, ("source.certificate_authority", "CA:TRUE", "root_cert")),
        (
            stranger,
            ("source.certificate_issuer", "signed by CN=stranger", "root_cert"),
        ),
    ] {
        server.install(cluster);
        until(settings, expected);
        said(&by_chain, expected);
        flows(&mut scene.world, &unlooked);
        match expected.0 {
            "source.certificate_expired" => said(&pinned, expected),
            _ => flows(&mut scene.world, &pinned),
        }
    }
}

#[test]
fn certificates_that_are_replaced_are_read_anew() {
    let Some(mut scene) = scene("replaced") else { return };
    let cluster = &scene.cluster;
    let copy = scene.home.path().join("ca.pem");
    let settings = believing(&scene.settings, Tls::VerifyFull, Some(copy.clone()));
    std::fs::copy(file(cluster, "ca.pem"), &copy).unwrap();
    flows(&mut scene.world, &settings);
    authorities(cluster);
    GOOD.install(cluster);
    until(&settings, ("source.certificate_issuer", "signed by CN=ca", "root_cert"));
    std::fs::copy(file(cluster, "ca.pem"), &copy).unwrap();
    flows(&mut scene.world, &settings);
}

#[test]
fn a_certificate_that_is_signed_by_itself_is_believed_where_it_is_named() {
    let Some(mut scene) = scene("themselves") else { return };
    let (settings, cluster) = (&scene.settings, &scene.cluster);
    self_signed(cluster);
    until(
        settings,
        ("source.certificate_self_signed", "signed by itself", "openssl s_client"),
    );
    let mut named = believing(settings, Tls::VerifyFull, Some(file(cluster, "server.crt")));
    flows(&mut scene.world, &named);
    named.login.hosts = vec![host("127.0.0.1", cluster.port)];
    let misnamed = "not for \"127.0.0.1\" but for localhost";
    said(&named, ("source.certificate_name", misnamed, "host in `url`"));
}

#[test]
fn a_server_without_safe_tls_is_named() {
    let Some(mut scene) = scene("old_tls") else { return };
    scene
        .cluster
        .set("ssl_min_protocol_version='TLSv1'\nssl_max_protocol_version='TLSv1.1'");
    scene.cluster.reload();
    until(
        &scene.settings,
        ("source.tls_old", "no TLS that is safe", "ssl_max_protocol_version"),
    );
    scene.cluster.set("ssl=off");
    scene.cluster.reload();
    until(
        &scene.settings,
        ("source.tls_unsupported", "does not speak TLS", "ssl = on"),
    );
    let mut preferred = scene.settings.clone();
    preferred.login.trust.tls = Tls::Prefer;
    let mut session = Sql::connect(&preferred).unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(!session.one(encrypted, &[]).unwrap().get::<_, bool>(0));
    scene
        .cluster
        .set("ssl=on\nssl_max_protocol_version=''\nssl_min_protocol_version='TLSv1.2'");
    scene.cluster.reload();
    std::thread::sleep(Duration::from_millis(500));
    flows(&mut scene.world, &preferred);
}

#[test]
fn a_client_certificate_logs_in() {
    let Some(mut scene) = scene("client_certificates") else {
        return;
    };
    let cluster = &scene.cluster;
    let mut settings = scene.settings.clone();
    settings.login.user = "wb_cert".to_owned();
    settings.login.password = None;
    said(&settings, ("source.role_refused", "certificate", "client_cert"));
    let own = |cert: &str, key: &str| {
        Some(ClientCert {
            cert: file(cluster, cert),
            key: file(cluster, key),
        })
    };
    settings.login.trust.client = own("client.pem", "client.key");
    flows(&mut scene.world, &settings);
    settings.login.trust.client = own("unknown.pem", "unknown.key");
    said(
        &settings,
        ("source.client_certificate", "refuses our certificate", "ssl_ca_file"),
    );
    settings.login.trust.client = own("client.pem", "unknown.key");
    said(
        &settings,
        ("source.client_key", "is not that of the certificate", "belong together"),
    );
    cluster.shell("openssl ec -aes256 -passout pass:x -in client.key -out locked.key");
    settings.login.trust.client = own("client.pem", "locked.key");
    said(&settings, ("source.client_key", "cannot read the key", "openssl pkey"));
    settings.login.trust.binding = Binding::Require;
    settings.login.trust.client = own("client.pem", "client.key");
    said(
        &settings,
        ("source.channel_binding", "it asks for no SCRAM", "scram-sha-256"),
    );
}

#[test]
fn a_password_is_proven_as_safely_as_the_settings_say() {
    let Some(mut scene) = scene("proofs") else { return };
    let mut settings = scene.settings.clone();
    for binding in [Binding::Require, Binding::Prefer, Binding::Disable] {
        settings.login.trust.binding = binding;
        flows(&mut scene.world, &settings);
    }
    // Without a look at the certificate, binding alone tells that nobody stands in between.
    settings.login.trust.tls = Tls::Require;
    settings.login.trust.binding = Binding::Require;
    flows(&mut scene.world, &settings);
    settings.login.trust.tls = Tls::Disable;
    said(&settings, ("source.channel_binding", "cannot be bound", "pg_hba.conf"));
    settings.login.trust.binding = Binding::Prefer;
    flows(&mut scene.world, &settings);
    settings.login.trust.tls = Tls::VerifyFull;
    settings.login.user = "wb_md5".to_owned();
    said(&settings, ("source.md5_refused", "MD5", "allow_md5 = true"));
    settings.login.trust.md5 = Md5::Allowed;
    flows(&mut scene.world, &settings);
    settings.login.user = "wb_clear".to_owned();
    for tls in [Tls::VerifyFull, Tls::VerifyCa] {
        settings.login.trust.tls = tls;
        flows(&mut scene.world, &settings);
    }
    for tls in [Tls::Require, Tls::Prefer, Tls::Disable] {
        settings.login.trust.tls = tls;
        said(
            &settings,
            ("source.password_in_the_clear", "in the clear", "verify-full"),
        );
    }
}

#[test]
fn a_token_comes_from_a_program_each_time() {
    let Some(mut scene) = scene("tokens") else { return };
    let mut settings = scene.settings.clone();
    let token = scene.home.path().join("token");
    let program = ["cat".to_owned(), token.display().to_string()];
    settings.login.password = Some(Secret::Command(program.to_vec()));
    said(
        &settings,
        (
            "source.password_unreadable",
            "the program cat: it ended with exit status: 1",
            "run cat by hand",
        ),
    );
    std::fs::write(&token, "hunter2\n").unwrap();
    flows(&mut scene.world, &settings);
    scene.world.run("ALTER ROLE wb_scram PASSWORD 'hunter4'");
    said(&settings, ("source.password_refused", "", ""));
    std::fs::write(&token, "hunter4\n").unwrap();
    flows(&mut scene.world, &settings);
}

#[test]
fn of_several_servers_the_first_that_will_do_is_used() {
    let Some(mut scene) = scene("several") else { return };
    let cluster = &scene.cluster;
    let standby = cluster.standby();
    let mut settings = scene.settings.clone();
    settings.login.hosts = vec![
        host("localhost", 1),
        host("localhost", standby.port),
        host("localhost", cluster.port),
    ];
    settings.login.target = Target::Any;
    let recovering = |settings: &Settings| -> bool {
        let mut session = Sql::connect(settings).unwrap();
        session.one("SELECT pg_is_in_recovery()", &[]).unwrap().get(0)
    };
    assert!(recovering(&settings));
    settings.login.target = Target::ReadWrite;
    assert!(!recovering(&settings));
    flows(&mut scene.world, &settings);
    settings.login.hosts.truncate(2);
    match Sql::connect(&settings) {
        Err(SourceError::Transient(why)) => {
            assert!(why.starts_with("cannot reach PostgreSQL at localhost:1"), "{why}");
            assert!(
                why.ends_with(&format!("localhost:{} is a standby", standby.port)),
                "{why}"
            );
        }
        other => panic!("not transient: {other:?}"),
    }
}
