//! `schema`: what is printed and written, and what is refused.

use serde_json::Value;

use crate::world::World;
use crate::world::line::finished;
use crate::world::program;

#[test]
fn contracts_are_printed_or_written_as_they_are_told() {
    let Some(mut world) = World::new("schema") else { return };
    let folder = world.config().with_file_name("contracts");
    let written = world.call("schema", &["--out", &folder.to_string_lossy()]);
    assert_eq!(written.code, 0, "{written}");
    assert!(written.out.ends_with("Item.1.json\n"), "{written}");
    let read =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap() };
    let printed = |words: &[&str]| -> Value { serde_json::from_str(&world.call("schema", words).out).unwrap() };
    assert_eq!(read("asyncapi.json"), printed(&[]));
    assert_eq!(read("Item.1.json"), printed(&["Item"]));
    let whole = read("asyncapi.json");
    assert_eq!(
        (&whole["asyncapi"], &whole["info"]["title"]),
        (&"3.0.0".into(), &world.name.as_str().into())
    );
    assert_eq!(whole["channels"][world.topic()]["address"], world.topic());

    // What is told is what was promised.
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', NULL, 10)");
    world.carry(1);
    let (_, told) = world.broker.committed(&world.topic()).remove(0);
    let told: Value = serde_json::from_str(&told).unwrap();
    let promised = &read("Item.1.json")["properties"];
    for name in ["specversion", "source", "type", "datacontenttype", "dataschema"] {
        assert_eq!(promised[name]["const"], told[name], "{name}");
    }
    let data: Vec<&String> = told["data"].as_object().unwrap().keys().collect();
    let fields: Vec<&String> = promised["data"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(data, fields);
}

#[test]
fn what_cannot_be_promised_is_refused_with_its_repair() {
    let Some(world) = World::new("noschema") else { return };
    let unknown = world.call("schema", &["Itm"]);
    assert!(
        unknown.code == 2 && unknown.err.contains("did you mean `Item`?"),
        "{unknown}"
    );
    let nowhere = world.call("schema", &["--out", "/dev/null/contracts"]);
    assert!(
        nowhere.code == 1 && nowhere.err.contains("cannot write /dev/null/contracts"),
        "{nowhere}"
    );
    world.configure(|text| text.replace("\"amt\"", "\"amount\""));
    let misfit = world.call("schema", &[]);
    assert!(
        misfit.code == 2 && misfit.out.is_empty() && misfit.err.contains("unknown column"),
        "{misfit}"
    );
}

#[test]
fn the_configs_own_schema_needs_no_config() {
    let own = finished(program().args(["schema", "--config"]));
    assert_eq!(own.code, 0, "{own}");
    let schema: Value = serde_json::from_str(&own.out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for words in [
        &["schema"][..],
        &["schema", "--config", "-c", "x.toml"],
        &["schema", "-c", "x.toml", "Item", "--out", "x"],
    ] {
        assert_eq!(finished(program().args(words)).code, 2, "{words:?}");
    }
}

#[test]
fn what_needs_no_kafka_asks_for_none_of_its_secrets() {
    let Some(world) = World::new("kafkaless") else { return };
    world.configure(|text| {
        let broker = text
            .lines()
            .find(|line| line.starts_with("brokers"))
            .unwrap()
            .to_owned();
        let nowhere = "brokers = \"127.0.0.1:9\"\nproperties = { \"ssl.key.password\" = { file = \"/nowhere\" } }";
        text.replace(&broker, nowhere)
    });
    for command in ["schema", "explain", "preview"] {
        let done = world.call(command, &[]);
        assert_eq!(done.code, 0, "{command}: {done}");
    }
}
