//! Public ids against PostgreSQL's own pgcrypto, by the SQL and the Python that the page shows.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::world::World;
use crate::world::line::{finished, until};

const PAGE: &str = include_str!("../../docs/public-ids.md");
const SECRET: &str = "'a secret' of the \\ test, not yours: 32";

/// The first block of this language on the page.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split("```").next().unwrap()
}

/// The mapping with ids in the key, in one more field, and in an event.
fn with_ids(text: &str) -> String {
    let ids = "[public_id.customer]\nsecret = { file = \"id_key\" }\nform = \"cus_{base32:20}\"\n";
    text.replace("on_start = false", "rows_per_chunk = 50")
        .replace(
            "number = \"id\"",
            "number = { from = \"id\", public_id = \"customer\" }",
        )
        .replace(
            "amount = \"amt\"",
            "parent = { from = \"amt\", public_id = \"customer\" }",
        )
        .replace("key = \"number\"", "key = \"number\"\nevent_topic = \"@EVENTS@\"")
        + "[entity.Item.events]\nItemMoved = { on = \"changes\", when = \"new.parent is distinct from old.parent\", \
           data = [\"number\"], with = { before = \"old.parent\", now = \"new.parent\" } }\nItemRemoved = { on = \"leaves\" }\n"
        + ids
}

fn events(world: &World) -> String {
    format!("{}.events", world.name)
}

fn configure(world: &World, change: impl FnOnce(String) -> String) {
    world.configure(|text| change(with_ids(&text).replace("@EVENTS@", &events(world))));
}

fn keep(world: &World, secret: &str) {
    std::fs::write(world.config().with_file_name("id_key"), secret).unwrap();
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// States by key as a consumer that folds the topic holds them.
fn folded(world: &World) -> BTreeMap<String, Value> {
    let mut copy = BTreeMap::new();
    for (key, value) in world.broker.committed(&world.topic()) {
        if value.is_empty() {
            assert!(
                copy.remove(&key).is_some(),
                "a tombstone for {key}, which was never told"
            );
            continue;
        }
        let value: Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["subject"], key.as_str());
        copy.insert(key, value["data"].clone());
    }
    copy
}

/// The same by asking the table, with ids as the database computes them.
fn table(world: &mut World, secret: &str, condition: &str) -> BTreeMap<String, Value> {
    let id = |column: &str| format!("customer_public_id({column}::text, {})", quoted(secret));
    let asked = world.ask(&format!(
        "SELECT coalesce(json_object_agg({}, json_build_object('number', {}, 'status', CASE st WHEN 'N' THEN 'new' ELSE 'paid' END, \
         'label', lbl, 'parent', {})), '{{}}') FROM item WHERE {condition}",
        id("id"),
        id("id"),
        id("amt")
    ));
    serde_json::from_str(&asked).unwrap()
}

/// How far the position says that old rows are told.
fn complete(world: &World, generation: u64) -> bool {
    let stored = world.broker.committed(&world.position_topic());
    let stored: Value = serde_json::from_str(&stored.last().expect("a position").1).unwrap();
    let item = &stored["backfill"]["entities"]["Item"];
    item["standing"] == "complete" && item["number"] == generation
}

/// A world with rows, ids and the page's function.
fn world(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world.run(block("sql")).run(
        "ALTER TABLE item REPLICA IDENTITY FULL; INSERT INTO item \
         SELECT n, 'N', 'row ' || n, CASE WHEN n % 4 > 0 THEN n - 1 END FROM generate_series(1, 130) n",
    );
    keep(&world, SECRET);
    configure(&world, |text| text);
    world.set_up();
    Some(world)
}

#[test]
fn keys_that_are_public_ids_are_told_changed_and_swept() {
    let Some(mut world) = world("ids") else { return };
    let bridge = world.start();
    until("old rows are told", || complete(&world, 1));
    world.run(
        "UPDATE item SET amt = 7 WHERE id = 3; UPDATE item SET id = 1000 WHERE id = 4; DELETE FROM item WHERE id = 5",
    );
    world.run("INSERT INTO item VALUES (-1, 'P', 'last', NULL)");
    let last = world.ask(&format!("SELECT customer_public_id('-1', {})", quoted(SECRET)));
    until("the changes are told", || folded(&world).contains_key(&last));
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(folded(&world), table(&mut world, SECRET, "true"));
    let told = world.broker.committed(&events(&world));
    let moved: Vec<Value> = told
        .iter()
        .map(|(_, value)| serde_json::from_str(value).unwrap())
        .collect();
    let id = |world: &mut World, number: i32| {
        world.ask(&format!("SELECT customer_public_id('{number}', {})", quoted(SECRET)))
    };
    let (three, two, seven) = (id(&mut world, 3), id(&mut world, 2), id(&mut world, 7));
    let expected = serde_json::json!({"number": three, "before": two, "now": seven});
    assert!(
        moved
            .iter()
            .any(|event| event["type"] == "ItemMoved" && event["data"] == expected),
        "{moved:?}"
    );
    for gone in [4, 5] {
        let key = id(&mut world, gone);
        let left = |event: &&Value| event["type"] == "ItemRemoved" && event["subject"] == key.as_str();
        assert_eq!(
            moved.iter().find(left).expect("it left")["data"]["number"],
            key.as_str()
        );
    }

    // Keys that are no longer the entity are found in the topic, whatever they are made of.
    configure(&world, |text| {
        text.replace("key = \"number\"", "where = \"id > 60\"\nkey = \"number\"")
    });
    let bridge = world.start();
    until("all rows are told again", || complete(&world, 2));
    assert_eq!(bridge.stop().code, 0);
    let left = table(&mut world, SECRET, "id > 60");
    assert_eq!(left.len(), 71);
    assert_eq!(folded(&world), left);
}

#[test]
fn another_secret_waits_for_an_operator_and_is_shown_to_nobody() {
    let Some(mut world) = world("rotated") else { return };
    let bridge = world.start();
    until("old rows are told", || complete(&world, 1));
    let first = bridge.stop();
    assert_eq!(first.code, 0);
    let another = "the next secret of this test, 32 bytes";
    keep(&world, another);
    let checked = world.call("check", &[]);
    assert!(
        checked.code == 1 && checked.out.contains("Item has the key number by"),
        "{checked}"
    );
    let refused = world.ended();
    assert!(refused.code == 1 && refused.err.contains("--accept"), "{refused}");
    let bridge = world.start_with(&["--accept"]);
    until("all rows are told again", || complete(&world, 2));
    let accepted = bridge.stop();
    assert_eq!(accepted.code, 0);
    let mut copy = folded(&world);
    assert_eq!(copy.len(), 130);
    copy.retain(|key, _| table(&mut world, another, "true").contains_key(key));
    assert_eq!(copy, table(&mut world, another, "true"));
    let stored = world.broker.committed(&world.position_topic());
    let said = [
        first.err,
        checked.out,
        checked.err,
        refused.err,
        accepted.err,
        format!("{stored:?}"),
    ]
    .concat();
    assert!(
        !said.contains("a secret' of the") && !said.contains("the next secret"),
        "{said}"
    );
}

#[test]
fn the_python_of_the_page_gives_the_ids_of_its_sql() {
    let Some(mut world) = world("page") else { return };
    let python = format!(
        "{}\nimport sys\nprint(customer_public_id(sys.argv[1], sys.argv[2]))",
        block("python")
    );
    for text in ["4711", "", "Müller: 7", "x\ny"] {
        let told = finished(Command::new("python3").args(["-c", &python, text, SECRET]));
        let asked = world.ask(&format!(
            "SELECT customer_public_id({}, {})",
            quoted(text),
            quoted(SECRET)
        ));
        assert_eq!(told.out.trim_end(), asked, "{text:?} {told}");
        assert!(asked.starts_with("cus_") && asked.len() == 24, "{asked}");
    }
    for row in PAGE.lines().filter(|row| row.starts_with("| `") && row.contains("471")) {
        let cells: Vec<&str> = row.split('`').collect();
        let [_, name, _, form, _, text, _, id, _] = cells[..] else {
            panic!("{row}")
        };
        let digits = match form.split(['{', ':', '}']).nth(1).unwrap() {
            "base32" => "base32(mac, 20)",
            "hex" => "mac.hex()[:20]",
            "base64url" => "base64url(mac, 14)",
            "uuid" => "uuid8(mac)",
            other => panic!("{other}"),
        };
        let mac = format!("mac = digest({name:?}, {text:?}, 'a secret of the example, not yours')");
        let before = form.split('{').next().unwrap();
        let told = finished(Command::new("python3").args([
            "-c",
            &format!("{}\n{mac}\nprint({before:?} + {digits})", block("python")),
        ]));
        assert_eq!(told.out.trim_end(), id, "{row} {told}");
    }
}

#[test]
fn check_warns_of_numbers_that_only_the_database_gives_out() {
    let Some(mut world) = World::new("counted") else { return };
    world.run(
        "CREATE TABLE cust (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY); \
         CREATE TABLE bought (id serial PRIMARY KEY, who int REFERENCES cust, what int NOT NULL, code text DEFAULT 'B' || nextval('bought_id_seq'))",
    );
    let fields = |number: &str, who: &str| {
        format!(
            "[entity.Bought.fields]\nnumber = {number}\nwho = {who}\nwhat = \"what\"\ncode = \"code\"\ntwice = \"what * 2\"\nodd = \"who + 1\"\n"
        )
    };
    let entity = |name: &str, fields: &str| {
        format!(
            "[entity.Bought]\ntable = \"public.bought\"\nkey = \"number\"\nstate_topic = \"{name}.bought\"\n{fields}"
        )
    };
    let found = |world: &World| {
        let shown = world.call("check", &["--format", "json"]);
        let document: Value = serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error} {shown}"));
        let all = document["findings"].as_array().unwrap().clone();
        let of = |finding: &&Value| finding["code"] == "mapping.surrogate";
        let told = all.iter().filter(of).map(|one| {
            format!(
                "{}: {}",
                one["severity"].as_str().unwrap(),
                one["what"].as_str().unwrap()
            )
        });
        told.collect::<Vec<String>>()
    };
    let name = world.name.clone();
    world.configure(|text| text + &entity(&name, &fields("\"id\"", "\"who\"")));
    let refers = "it refers to \"id\" of public.cust, which the database counts";
    assert_eq!(
        found(&world),
        [
            "warning: Bought.number is column \"id\" as it is, also in the key: a number that the database counts"
                .to_owned(),
            format!("warning: Bought.who is column \"who\" as it is: {refers}"),
            format!("note: Bought.odd is made of column \"who\": {refers}"),
        ]
    );
    let events = format!(
        "[entity.Bought.events]\nBoughtOnce = {{ on = \"enters\", topic = \"{name}.once\", with = {{ raw = \"new_row.who\", near = \"new_row.who + 1\", field = \"new.who\" }} }}\n"
    );
    world.configure(|text| text + &entity(&name, &fields("\"id\"", "\"who\"")) + &events);
    let of_events: Vec<String> = found(&world)
        .into_iter()
        .filter(|one| one.contains("BoughtOnce"))
        .collect();
    assert_eq!(
        of_events,
        [
            format!("warning: raw of BoughtOnce is made of column \"who\": {refers}"),
            format!("note: near of BoughtOnce is made of column \"who\": {refers}"),
        ]
    );
    let meant = fields(
        "{ from = \"id\", public_id = \"customer\" }",
        "{ from = \"who\", expose = \"printed on every label\" }",
    )
    .replace("odd = \"who + 1\"\n", "");
    keep(&world, SECRET);
    let ids = "[public_id.customer]\nsecret = { file = \"id_key\" }\nform = \"{uuid}\"\n";
    world.configure(|text| text + &entity(&name, &meant) + ids);
    assert_eq!(found(&world), Vec::<String>::new());
}
