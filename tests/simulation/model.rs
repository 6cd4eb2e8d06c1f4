//! What should be told, computed from rows alone and in another way than the bridge does it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A row of the legacy table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: String,
    pub(crate) kind: char,
    pub(crate) status: char,
    pub(crate) cents: i64,
    pub(crate) note: Option<String>,
}

/// A record as a consumer sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) topic: &'static str,
    pub(crate) event: &'static str,
    pub(crate) key: String,
    /// None: a tombstone.
    pub(crate) data: Option<Value>,
}

/// What is published of a row; none where it is no order.
fn order(row: Option<&Row>) -> Option<Value> {
    let row = row.filter(|row| row.kind == 'S')?;
    let status = match row.status {
        'N' => "placed",
        'P' => "paid",
        other => panic!("no such status: {other}"),
    };
    let total = format!(
        "{}{}.{:02}",
        if row.cents < 0 { "-" } else { "" },
        row.cents.abs() / 100,
        row.cents.abs() % 100
    );
    Some(json!({"number": row.number, "status": status, "total": total, "note": row.note}))
}

fn number(order: &Value) -> String {
    order["number"].as_str().expect("a number").to_owned()
}

/// All records of one row change, in their order.
pub(crate) fn tell(old: Option<&Row>, new: Option<&Row>) -> Vec<Told> {
    let told = |topic, event, key: &Value, data: Option<&Value>| Told {
        topic,
        event,
        key: number(key),
        data: data.cloned(),
    };
    let came = |order: &Value| {
        vec![
            told("orders", "Order", order, Some(order)),
            told("order-events", "OrderPlaced", order, Some(order)),
        ]
    };
    let went = |order: &Value| {
        vec![
            told("orders", "Order", order, None),
            told("order-events", "OrderRemoved", order, Some(order)),
        ]
    };
    match (order(old), order(new)) {
        (None, None) => Vec::new(),
        (None, Some(new)) => came(&new),
        (Some(old), None) => went(&old),
        (Some(old), Some(new)) if old == new => Vec::new(),
        (Some(old), Some(new)) if number(&old) != number(&new) => [went(&old), came(&new)].concat(),
        (Some(old), Some(new)) => {
            let mut out = vec![told("orders", "Order", &new, Some(&new))];
            if new["status"] == "paid" && old["status"] != "paid" {
                out.push(told("order-events", "OrderPaid", &new, Some(&new)));
            }
            out.push(told("order-events", "OrderChanged", &new, Some(&new)));
            out
        }
    }
}

/// The copy that a consumer of the state topic holds.
pub(crate) type Copy = BTreeMap<String, Value>;

/// Takes a record into a copy.
pub(crate) fn fold(copy: &mut Copy, told: &Told) {
    if told.topic != "orders" {
        return;
    }
    match &told.data {
        Some(data) => copy.insert(told.key.clone(), data.clone()),
        None => copy.remove(&told.key),
    };
}
