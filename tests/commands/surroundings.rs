//! Servers that are not as a bridge needs them: who may log in, what they log, and which server it is.

use walbridge::source::postgres::settings::{Tls, Trust};
use walbridge::source::postgres::sql::Sql;

use crate::cluster::Cluster;
use crate::world::World;

/// Makes a file with a password beside the config, and uses it with this role.
fn as_role(world: &World, role: &str, password: &str) {
    let secret = world.config().with_file_name("secret");
    std::fs::write(&secret, password).unwrap();
    let user = format!("{role}@127");
    world.configure(|text| {
        text.replace("postgres@127", &user)
            .replace("\n[kafka]\n", "password = { file = \"secret\" }\n\n[kafka]\n")
    });
}

#[test]
fn a_wrong_password_halts_and_one_that_is_put_right_is_taken() {
    let hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n\
               local all all trust\nhost replication all 127.0.0.1/32 scram-sha-256\n";
    let Some(cluster) = Cluster::new("password_encryption=scram-sha-256", hba) else {
        return;
    };
    let Some(mut world) = World::on(&cluster.url(), "password", "") else {
        return;
    };
    world.run("CREATE ROLE bridge LOGIN REPLICATION PASSWORD 'right'");
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    as_role(&world, "bridge", "wrong-secret");
    let repair = "hint: put the role's present password where `password` in [source] points";
    let ended = world.ended();
    ended.says(1, "source.password_refused", &["28P01", repair]);
    assert!(!ended.err.contains("wrong-secret"), "{ended}");
    let checked = world.call("check", &[]);
    assert!(
        checked.code == 1 && checked.out.contains("source") && checked.out.contains(&repair[6..]),
        "{checked}"
    );
    assert!(!checked.out.contains("wrong-secret"), "{checked}");

    world.run("CREATE ROLE weak LOGIN PASSWORD 'right'; GRANT SELECT ON item TO weak");
    as_role(&world, "weak", "right");
    let repair = "hint: ALTER ROLE \"weak\" REPLICATION;";
    world.ended().says(
        1,
        "source.role_replication",
        &["the role weak may not replicate", repair],
    );
    world.holds(&[]);
    world.run("ALTER ROLE \"weak\" REPLICATION;");
    world.carry(1);
    world.holds(&["1"]);
}

#[test]
fn a_role_that_does_not_exist_or_may_not_log_in_halts() {
    let Some(mut world) = World::new("role") else { return };
    let role = format!("{}_r", world.name);
    as_role(&world, &role, "any");
    let unknown = world.ended();
    unknown.says(1, "source.role_refused", &[&role, "hint: let the role log in"]);
    world.run(&format!("CREATE ROLE {role} NOLOGIN"));
    let refused = world.ended();
    world.run(&format!("DROP ROLE {role}"));
    refused.says(
        1,
        "source.role_refused",
        &[
            &role,
            "hint: let the role log in from this host: pg_hba.conf, ALTER ROLE",
        ],
    );
}

#[test]
fn a_server_that_does_not_log_enough_halts() {
    let Some(cluster) = Cluster::new("wal_level=replica", "") else {
        return;
    };
    let Some(mut world) = World::on(&cluster.url(), "wal_level", "") else {
        return;
    };
    let repair = "hint: ALTER SYSTEM SET wal_level = 'logical'; then restart the server";
    world
        .ended()
        .says(1, "source.wal_level", &["wal_level is replica", repair]);
    let checked = world.call("check", &[]);
    assert!(
        checked.code == 1 && checked.out.contains("wal_level is replica"),
        "{checked}"
    );
    world
        .call("setup", &["--apply"])
        .says_json(1, "source.wal_level", "wal_level = 'logical'");
    assert_eq!(world.ask("SELECT count(*) FROM pg_publication"), "0");
    assert_eq!(
        world.broker.committed(&world.position_topic()),
        [],
        "a position is stored"
    );
}

#[test]
fn another_server_with_the_same_names_halts() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let Some(mut world) = World::new("server") else { return };
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    let (name, slot, position) = (world.name.clone(), world.slot(), world.position());
    let mut other = Sql::connect_as(&cluster.url(), &Trust::of(Tls::Disable)).unwrap();
    other.run(&format!("CREATE DATABASE {name}")).unwrap();
    let url = cluster.url().replace("/postgres", &format!("/{name}"));
    let url = url.replace(&format!("//{name}"), "//postgres");
    let mut other = Sql::connect_as(&url, &Trust::of(Tls::Disable)).unwrap();
    other
        .run("CREATE TABLE public.item (id int PRIMARY KEY, st text NOT NULL, lbl varchar(20), amt int4)")
        .unwrap();
    other
        .run(&format!("CREATE PUBLICATION {slot} FOR TABLE public.item"))
        .unwrap();
    other
        .run(&format!(
            "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        ))
        .unwrap();
    other.run("INSERT INTO public.item VALUES (2, 'N', 'two', 20)").unwrap();
    let here = world.url();
    world.configure(|text| text.replace(&here, &url));
    let ended = world.ended();
    let what = format!("the server is not the one the position {position} belongs to: system identifier ");
    let repair = "hint: connect to the former server, or: walbridge recover";
    ended.says(1, "source.other_system", &[&what, repair]);
    assert_eq!((world.keys(), world.position()), (vec!["1".to_owned()], position));
    world.configure(|text| text);
    world.run("INSERT INTO item VALUES (3, 'N', 'three', 30)");
    world.carry(2);
    world.holds(&["1", "3"]);
}
