//! Contracts as documents.

use serde_json::{Value, json};

use super::asyncapi::{About, Markers, document};
use super::schema::DIALECT;
use super::shape::{Constant, Shape};
use super::{Contract, FieldContract, Naming, Null, Present};
use crate::flow::event::Holds;

const NAMING: Naming<'_> = Naming {
    source: "walbridge/shop",
    type_prefix: "com.example.",
    dataschema_prefix: "urn:shop:",
};

fn field(name: &str, shape: Shape, null: Null, present: Present) -> FieldContract {
    FieldContract {
        name: name.to_owned(),
        shape,
        null,
        present,
    }
}

fn contract(name: &str, holds: Holds, topic: &str) -> Contract {
    let number = field("number", Shape::Text, Null::Never, Present::Always);
    let paid = Shape::OneOf(vec![
        Constant::Text("paid".to_owned()),
        Constant::Number("2".to_owned()),
    ]);
    Contract {
        name: name.to_owned(),
        entity: "Order".to_owned(),
        version: 3,
        topic: topic.to_owned(),
        holds,
        key: vec![number.clone()],
        fields: vec![
            number,
            field("status", paid, Null::Possible, Present::Always),
            field("note", Shape::Date, Null::Possible, Present::WhereKnown),
            field("any", Shape::Json, Null::Possible, Present::Always),
        ],
    }
}

#[test]
fn a_record_is_named_as_its_dataschema_says() {
    let schema = contract("OrderPaid", Holds::Events, "events").document(&NAMING);
    assert_eq!(
        (&schema["$schema"], &schema["$id"]),
        (&DIALECT.into(), &"urn:shop:OrderPaid:3:record".into())
    );
    let all = &schema["properties"];
    assert_eq!(all["data"]["$id"], "urn:shop:OrderPaid:3");
    assert_eq!(all["dataschema"], json!({"const": "urn:shop:OrderPaid:3"}));
    assert_eq!(all["type"], json!({"const": "com.example.OrderPaid"}));
    assert_eq!(
        all["data"]["required"],
        json!(["number", "status", "any"]),
        "what is not always there is not required"
    );
    assert_eq!(all["data"]["properties"]["status"], json!({"enum": ["paid", 2, null]}));
    assert_eq!(all["data"]["properties"]["note"]["anyOf"][2], json!({"type": "null"}));
    assert_eq!(all["data"]["properties"]["any"], json!({}));
    assert_eq!(all["data"]["properties"]["number"], json!({"type": "string"}));
}

#[test]
fn only_states_are_told_of_old_rows() {
    let required = |holds| contract("Order", holds, "orders").record(&NAMING)["required"].clone();
    let names = |list: &Value| list.as_array().unwrap().contains(&"transaction".into());
    assert!(names(&required(Holds::Events)) && !names(&required(Holds::States)));
    let state = contract("Order", Holds::States, "orders").record(&NAMING);
    assert_eq!(state["properties"]["origin"]["const"], "backfill");
    let event = contract("OrderPaid", Holds::Events, "events").record(&NAMING);
    assert_eq!(event["properties"]["origin"], Value::Null);
}

#[test]
fn a_key_is_a_text_or_a_document() {
    let mut contract = contract("Order", Holds::States, "orders");
    assert_eq!(contract.key_schema()["type"], "string");
    contract
        .key
        .push(field("year", Shape::Integer, Null::Never, Present::Always));
    let key = contract.key_schema();
    assert_eq!(key["required"], json!(["number", "year"]));
    assert_eq!(key["properties"]["year"], json!({"type": "integer"}));
}

/// Every `$ref` in it.
fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(all) => {
            found.extend(all.get("$ref").and_then(Value::as_str));
            all.values().for_each(|inner| references(inner, found));
        }
        Value::Array(all) => all.iter().for_each(|inner| references(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_whole_names_every_topic_and_message_once() {
    let all = [
        contract("Order", Holds::States, "orders"),
        contract("OrderPaid", Holds::Events, "events"),
        contract("OrderSent", Holds::Events, "events"),
        contract("OrderGone", Holds::Events, "removals"),
    ];
    let whole = |markers| {
        let about = About {
            bridge: "shop",
            version: "1",
            markers,
        };
        document(&all, &NAMING, &about)
    };
    let told = whole(Markers::Left);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(&told["channels"]), ["orders", "events", "removals"]);
    assert_eq!(names(&told["channels"]["orders"]["messages"]), ["Order", "Order.gone"]);
    assert_eq!(
        names(&told["channels"]["events"]["messages"]),
        ["OrderPaid", "Order.gap", "OrderSent"]
    );
    assert_eq!(
        names(&told["channels"]["removals"]["messages"]),
        ["OrderGone", "Order.gap"]
    );
    assert_eq!(names(&told["operations"]).len(), 3);
    let headers = &told["components"]["messages"]["Order.gone"]["headers"];
    assert_eq!(
        headers["properties"]["ce_type"],
        json!({"const": "Order"}),
        "no prefix there"
    );
    assert_eq!(
        headers["required"],
        json!(["ce_id", "ce_sequence", "ce_time", "ce_type"])
    );
    let mut found = Vec::new();
    references(&told, &mut found);
    assert_eq!(
        found.len(),
        7 + 3 + 5,
        "messages of channels, channels of operations, payloads"
    );
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(told.pointer(pointer).is_some(), "{reference}");
    }
    let marked = whole(Markers::Told);
    assert_eq!(
        marked["components"]["schemas"]["Order.backfill"]["properties"]["type"]["const"],
        "com.example.Order.backfill"
    );
}
