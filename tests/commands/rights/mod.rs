//! A role that lacks something: `check` and `setup` name exactly that, and their repair is enough.

use serde_json::Value;

use crate::cluster::Cluster;
use crate::world::World;

/// The finding of `check` with this code, and its repair.
fn found(world: &World, code: &str) -> Option<(String, String)> {
    let checked = world.call("check", &["--format", "json"]);
    let told: Value = serde_json::from_str(&checked.out).unwrap_or_else(|error| panic!("{error}: {checked}"));
    let one = told["findings"].as_array()?.iter().find(|one| one["code"] == code)?;
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    Some((text("what"), text("repair")))
}

/// As this role.
fn url(world: &World, role: &str) -> String {
    world.url().replace("postgres@", &format!("{role}@"))
}

/// A role of the bridge's, and a table in a schema that is nobody else's.
fn with_role(test: &str) -> Option<(World, String)> {
    let mut world = World::new(test)?;
    let role = format!("r_{}", world.name);
    world.run("CREATE SCHEMA shop; REVOKE ALL ON SCHEMA shop FROM PUBLIC; ALTER TABLE item SET SCHEMA shop");
    maps_also(&world, &role, "");
    Some((world, role))
}

/// The config of that role, with more at its end.
fn maps_also(world: &World, role: &str, more: &str) {
    let own = url(world, role);
    world.configure(|text| {
        let text = text
            .replace("public.item", "shop.item")
            .replace("on_start = false", "on_start = true")
            .replace(&world.url(), &own);
        text + more
    });
}

#[test]
fn each_right_that_the_role_lacks_is_named_and_its_repair_is_enough() {
    let Some((mut world, role)) = with_role("rights") else {
        return;
    };
    let name = world.name.clone();
    world.run(&format!(
        "CREATE ROLE {role} LOGIN; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    ));
    let read = format!("GRANT SELECT ON \"shop\".\"item\" TO \"{role}\";");
    let look = format!("GRANT USAGE ON SCHEMA \"shop\" TO \"{role}\";");
    let connect = format!("GRANT CONNECT ON DATABASE \"{name}\" TO \"{role}\";");
    for (code, what, repair) in [
        (
            "source.no_connect",
            format!("the role {role} may not connect to the database {name}"),
            &connect,
        ),
        (
            "source.role_replication",
            format!("the role {role} may not replicate"),
            &format!("ALTER ROLE \"{role}\" REPLICATION;"),
        ),
        (
            "source.select",
            "neither look into the schema shop nor read the table shop.item".to_owned(),
            &format!("{look} {read}"),
        ),
    ] {
        let (said, hint) = found(&world, code).unwrap_or_else(|| panic!("{code} is not found"));
        assert!(
            said.contains(&what) && hint.starts_with(repair.as_str()),
            "{code}: {said}: {hint}"
        );
        world.run(repair);
        assert_eq!(found(&world, code), None, "after {repair}");
    }
    let column = format!("GRANT SELECT (id) ON shop.item TO {role}");
    for (taken, what, repair) in [
        ("REVOKE USAGE ON SCHEMA shop", "look into the schema shop", &look),
        ("REVOKE SELECT ON shop.item", "may not read the table shop.item", &read),
        (
            "REVOKE SELECT ON shop.item",
            "may read some columns of the table shop.item, and not the table",
            &read,
        ),
    ] {
        world.run(&format!("{taken} FROM {role}"));
        if what.contains("columns") {
            world.run(&column);
        }
        let (said, hint) = found(&world, "source.select").unwrap_or_else(|| panic!("nothing is found after {taken}"));
        assert!(
            said.contains(what) && hint.starts_with(repair.as_str()),
            "{said}: {hint}"
        );
        world.run(repair);
        assert_eq!(found(&world, "source.select"), None, "after {repair}");
    }
    world.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn whoever_may_not_set_up_hears_it_before_anything_is_made() {
    let Some((mut world, role)) = with_role("set_up") else {
        return;
    };
    let (name, other) = (world.name.clone(), format!("o_{}", world.name));
    world.run(&format!(
        "CREATE ROLE {other} LOGIN; GRANT USAGE ON SCHEMA shop TO {other}"
    ));
    let by_other = url(&world, &other);
    let attempt = |world: &World| world.call("setup", &["--apply", "--as", &by_other, "--log", "text"]);
    let refused = attempt(&world);
    assert_eq!(refused.code, 1, "{refused}");
    for said in [
        format!("{other} does not own the table shop.item, so may not publish it: postgres does"),
        "name its owner, or a superuser, with --as URL".to_owned(),
        format!("GRANT CREATE ON DATABASE \"{name}\" TO \"{other}\";"),
        format!("ALTER ROLE \"{other}\" REPLICATION;"),
    ] {
        assert!(refused.err.contains(&said), "{said}: {refused}");
    }
    assert!(
        !refused.err.contains("GRANT \"postgres\""),
        "a superuser is made\n{refused}"
    );
    world.run(&format!(
        "ALTER TABLE shop.item OWNER TO {other}; GRANT CREATE ON DATABASE {name} TO {other}; ALTER ROLE {other} REPLICATION"
    ));
    let refused = attempt(&world);
    assert!(
        refused.code == 1
            && refused.err.contains("cannot be given by whoever sets up")
            && refused.err.contains("CREATE ROLE"),
        "{refused}"
    );
    assert_eq!(
        world.broker.committed(&world.position_topic()),
        [],
        "something was made"
    );
    // A superuser gives the role what only one may give; the rest is its owner's to give. Of a right that is somebody's own
    // and not his to give, PostgreSQL gives nothing, with a warning.
    world.run(&format!("CREATE ROLE {role} LOGIN REPLICATION"));
    let refused = attempt(&world);
    let look = format!("GRANT USAGE ON SCHEMA \"shop\" TO \"{role}\";");
    assert!(
        refused.code == 1 && !refused.out.contains("rights granted"),
        "{refused}"
    );
    assert!(
        refused.err.contains("cannot be given by whoever sets up") && refused.err.contains(&look),
        "{refused}"
    );
    let reads = format!("SELECT has_table_privilege('{role}', 'shop.item', 'SELECT')");
    assert_eq!(world.ask(&reads), "f", "some of the rights were given");
    world.run(&format!("GRANT USAGE ON SCHEMA shop TO {other} WITH GRANT OPTION"));
    let done = attempt(&world);
    assert_eq!(done.code, 0, "{done}");
}

#[test]
fn whoever_may_not_add_a_table_hears_it_before_anything_is_made() {
    let Some((mut world, role)) = with_role("set_up_more") else {
        return;
    };
    let (name, other) = (world.name.clone(), format!("o_{}", world.name));
    world.run(&format!(
        "CREATE ROLE {role} LOGIN REPLICATION; GRANT USAGE ON SCHEMA shop TO {role}; \
         CREATE ROLE {other} LOGIN REPLICATION; GRANT USAGE ON SCHEMA shop TO {other} WITH GRANT OPTION; \
         ALTER TABLE shop.item OWNER TO {other}; GRANT CREATE ON DATABASE {name} TO {other}; \
         CREATE TABLE shop.label (id bigint PRIMARY KEY); GRANT SELECT ON shop.label TO {role}"
    ));
    let by_other = url(&world, &other);
    let attempt = |world: &World| world.call("setup", &["--apply", "--as", &by_other, "--log", "text"]);
    let done = attempt(&world);
    assert_eq!(done.code, 0, "{done}");
    let label = format!(
        "\n[entity.Label]\ntable = \"shop.label\"\nkey = \"id\"\nstate_topic = \"{name}.labels\"\nfields = {{ id = \"id\" }}\n"
    );
    maps_also(&world, &role, &label);
    let refuses = |world: &World, why: &str| {
        let refused = attempt(world);
        assert!(refused.code == 1 && refused.err.contains(why), "{why}: {refused}");
        assert!(
            !world.broker.has(&format!("{name}.labels")),
            "a topic was made: {refused}"
        );
    };
    let table = format!("{other} does not own the table shop.label, so may not publish it: postgres does");
    refuses(&world, &table);
    world.run(&format!(
        "ALTER TABLE shop.label OWNER TO {other}; ALTER PUBLICATION walbridge_{name} OWNER TO postgres"
    ));
    let publication =
        format!("{other} does not own the publication walbridge_{name}, so may not alter it: postgres does");
    refuses(&world, &publication);
    // A table that is published already asks nothing of whoever adds another.
    world.run(&format!(
        "ALTER PUBLICATION walbridge_{name} OWNER TO {other}; ALTER TABLE shop.item OWNER TO postgres"
    ));
    let done = attempt(&world);
    let added = format!("ALTER PUBLICATION \"walbridge_{name}\" ADD TABLE \"shop\".\"label\";");
    assert!(done.code == 0 && done.out.contains(&added), "{done}");
}

#[test]
fn a_host_that_may_not_log_in_is_told_the_line_that_is_missing() {
    let hba = "local all all trust\nhost all postgres 127.0.0.1/32 trust\n";
    let Some(cluster) = Cluster::new("", hba) else { return };
    let Some(mut world) = World::on(&cluster.url(), "entry", "") else {
        return;
    };
    world.run("CREATE ROLE bridge LOGIN REPLICATION");
    let (here, name) = (url(&world, "bridge"), world.name.clone());
    world.configure(|text| text.replace(&world.url(), &here));
    let (said, hint) = found(&world, "source.no_entry").unwrap();
    let line = format!("host \"{name}\" \"bridge\" 127.0.0.1/32 scram-sha-256");
    assert!(said.contains("pg_hba.conf") && hint.contains(&line), "{said}: {hint}");
    assert!(
        hint.contains("pg_reload_conf()") && hint.contains("sslmode=verify-full"),
        "{hint}"
    );
}

#[test]
fn amazons_role_is_the_right_to_replicate_and_its_repair() {
    let Some(cluster) = Cluster::new("", "") else { return };
    let Some(mut world) = World::on(&cluster.url(), "amazon", "") else {
        return;
    };
    // As it is there: a role without the attribute, whose members may replicate.
    world.run("CREATE ROLE rds_replication; CREATE ROLE bridge LOGIN; GRANT SELECT ON item TO bridge");
    let here = url(&world, "bridge");
    world.configure(|text| text.replace(&world.url(), &here));
    let (_, hint) = found(&world, "source.role_replication").unwrap();
    assert_eq!(hint, "GRANT rds_replication TO \"bridge\";");
    world.run("GRANT rds_replication TO bridge");
    assert_eq!(found(&world, "source.role_replication"), None);
    world.run("REVOKE rds_replication FROM bridge");
    let done = world.call("setup", &["--apply", "--as", &world.url()]);
    assert!(
        done.code == 0 && done.out.contains("role bridge: rights granted"),
        "{done}"
    );
    let given = world.ask("SELECT pg_has_role('bridge', 'rds_replication', 'USAGE') AND NOT rolreplication FROM pg_roles WHERE rolname = 'bridge'");
    assert_eq!(given, "t");
}
