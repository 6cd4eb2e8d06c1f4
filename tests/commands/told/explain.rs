//! `explain` on a real catalogue: before the set-up, after it, and of a mapping that cannot run yet.

use serde_json::Value;

use crate::world::World;

const EVENTS: &str =
    "\n[entity.Item.events]\nItemPaid = { on = \"changes\", when = \"new.status = 'paid' and old.status = 'new'\" }\n";

fn document(world: &World, code: i32) -> Value {
    let shown = world.call("explain", &["--format", "json"]);
    assert_eq!(shown.code, code, "{shown}");
    serde_json::from_str(&shown.out).unwrap_or_else(|error| panic!("{error} {shown}"))
}

#[test]
fn what_is_laid_open_is_what_the_catalogue_says() {
    let Some(mut world) = World::new("explain") else { return };
    let shown = world.call("explain", &[]);
    assert!(shown.code == 0 && !shown.err.contains("error"), "{shown}");
    assert!(
        shown.out.contains("no publication sends changes of public.item yet"),
        "{shown}"
    );
    let line = |line: &str| line.split_whitespace().eq(["number", "id", "integer", "integer"]);
    assert!(shown.out.lines().any(line), "{shown}");
    let before = document(&world, 0);
    let item = &before["entities"][0];
    assert_eq!(item["publications"], serde_json::json!([]));
    assert_eq!(
        item["old_row"]["columns"],
        serde_json::json!([{"name": "id", "needed_for": ["key"]}])
    );
    assert_eq!(item["old_row"]["identities"][0]["identity"], "REPLICA IDENTITY DEFAULT");

    world.set_up();
    let after = document(&world, 0);
    let publication = &after["entities"][0]["publications"][0];
    assert_eq!(publication["name"], world.slot().as_str());
    assert_eq!(
        publication["operations"],
        serde_json::json!(["insert", "update", "delete", "truncate"])
    );
    assert_eq!(
        (&publication["row_filter"], &publication["columns"]),
        (&Value::Bool(false), &Value::Null)
    );

    // An identity that gives too little is said, and what would do is laid open all the same.
    world.configure(|text| text.replace("key =", "event_topic = \"items.happened\"\nkey =") + EVENTS);
    let lacking = document(&world, 1);
    let identity = &lacking["entities"][0]["old_row"]["identities"][0];
    assert_eq!(identity["missing"], serde_json::json!(["st", "lbl", "amt"]));
    let repair = identity["repair"].as_str().unwrap().to_owned();
    let said = world.call("explain", &["Item"]);
    assert!(
        said.code == 1 && said.err.contains("error: Item needs") && said.err.contains(&repair),
        "{said}"
    );
    world.run(&repair);
    assert_eq!(
        document(&world, 0)["entities"][0]["old_row"]["identities"][0]["missing"],
        serde_json::json!([])
    );
    assert_eq!(
        world.call("check", &[]).code,
        0,
        "what explain asks for is what check asks for"
    );
}

#[test]
fn one_entity_or_a_picture_may_be_asked_for() {
    let Some(world) = World::new("picture") else { return };
    let wrong = world.call("explain", &["Itm"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("no entity is called Itm") && wrong.err.contains("`Item`"),
        "{wrong}"
    );
    assert!(wrong.out.is_empty(), "{wrong}");
    let picture = world.call("explain", &["Item", "--format", "mermaid"]);
    assert_eq!(picture.code, 0, "{picture}");
    assert!(
        picture.out.starts_with("flowchart LR\n") && picture.out.contains("[(\"public.item\")]"),
        "{picture}"
    );
    world.configure(|text| text.replace(&format!("/{}\"", world.name), "/gone\""));
    let away = world.call("explain", &[]);
    assert!(away.code == 1 && away.err.contains("hint: "), "{away}");
}
