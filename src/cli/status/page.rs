//! The page: what `/status` says, for a terminal.

use serde::Deserialize;

use crate::cli::columns::Side::{Left, Right};
use crate::cli::columns::table;
use crate::cli::running::old_rows::{self, Line};
use crate::telemetry::{Age, Bytes, Grouped};

/// What `/status` says, as far as the page shows it.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    name: String,
    version: String,
    state: String,
    state_seconds: f64,
    up_seconds: f64,
    unready: Option<String>,
    heard_seconds_ago: Option<f64>,
    lag_seconds: f64,
    lag_bytes: u64,
    position: Position,
    slot: Option<Slot>,
    transactions: u64,
    restarts: u64,
    last_restart: Option<Told>,
    last_halt: Option<Told>,
    entities: Vec<Entity>,
    events: Vec<Event>,
    backfill: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Position {
    durable_lsn: String,
}

#[derive(Debug, Deserialize)]
struct Slot {
    retained_bytes: u64,
    safe_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Told {
    seconds_ago: f64,
    what: String,
}

#[derive(Debug, Deserialize)]
struct Entity {
    entity: String,
    inserts: u64,
    updates: u64,
    deletes: u64,
    suppressed: u64,
    old_rows: u64,
}

#[derive(Debug, Deserialize)]
struct Event {
    event: String,
    entity: String,
    topic: String,
    records: u64,
}

/// Draws it: what it is and does, how far it is, and what it carried since it began.
pub(super) fn draw(seen: &Seen) -> String {
    let mut parts = vec![head(seen), facts(seen)];
    if !seen.entities.is_empty() {
        parts.push(changes(&seen.entities));
    }
    if !seen.events.is_empty() {
        parts.push(records(&seen.events));
    }
    if !seen.backfill.is_empty() {
        parts.push(old_rows::draw(&seen.backfill));
    }
    parts.join("\n\n")
}

fn head(seen: &Seen) -> String {
    let ready = match &seen.unready {
        None => "ready".to_owned(),
        Some(why) => format!("not ready: {why}"),
    };
    format!("{}: {} for {}, {ready}", seen.name, seen.state, Age(seen.state_seconds))
}

fn facts(seen: &Seen) -> String {
    let heard = seen.heard_seconds_ago.map_or_else(
        || "nothing heard of the server yet".to_owned(),
        |ago| format!("the server was heard {} ago", Age(ago)),
    );
    let kept = seen.slot.as_ref().map_or_else(
        || "not told yet".to_owned(),
        |slot| {
            let left = slot.safe_bytes.map_or_else(
                || "no limit on the server".to_owned(),
                |bytes| format!("{} until the slot is lost", Bytes(bytes)),
            );
            format!("{}, {left}", Bytes(slot.retained_bytes))
        },
    );
    let mut facts = vec![
        ("version", format!("{}, up {}", seen.version, Age(seen.up_seconds))),
        ("lag", format!("{:.1} s, {heard}", seen.lag_seconds)),
        (
            "in Kafka up to",
            format!(
                "{}, {} of log are not yet",
                seen.position.durable_lsn,
                Bytes(seen.lag_bytes)
            ),
        ),
        ("log the server keeps", kept),
        ("transactions", Grouped(seen.transactions).to_string()),
        ("began again", times(seen)),
    ];
    if let Some(halt) = &seen.last_halt {
        facts.push(("halted", format!("{} ago: {}", Age(halt.seconds_ago), halt.what)));
    }
    let rows = facts.into_iter().map(|(title, fact)| format!("{title:<20}  {fact}"));
    rows.collect::<Vec<_>>().join("\n")
}

fn times(seen: &Seen) -> String {
    let last = seen
        .last_restart
        .as_ref()
        .map(|last| format!(", the last time {} ago: {}", Age(last.seconds_ago), last.what));
    let times = match seen.restarts {
        1 => "once".to_owned(),
        restarts => format!("{} times", Grouped(restarts)),
    };
    times + &last.unwrap_or_default()
}

fn changes(entities: &[Entity]) -> String {
    let row = |one: &Entity| {
        let numbers = [one.inserts, one.updates, one.deletes, one.suppressed, one.old_rows];
        let mut row = vec![one.entity.clone()];
        row.extend(numbers.map(|number| Grouped(number).to_string()));
        row
    };
    let titles = ["ENTITY", "INSERTS", "UPDATES", "DELETES", "TOLD NOTHING", "OLD ROWS"];
    table(
        &titles,
        &[Left, Right, Right, Right, Right, Right],
        entities.iter().map(row),
    )
}

fn records(events: &[Event]) -> String {
    let row = |one: &Event| {
        vec![
            one.event.clone(),
            one.entity.clone(),
            one.topic.clone(),
            Grouped(one.records).to_string(),
        ]
    };
    table(
        &["EVENT", "ENTITY", "TOPIC", "RECORDS"],
        &[Left, Left, Left, Right],
        events.iter().map(row),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> serde_json::Value {
        serde_json::json!({
            "ready": true, "unready": null, "name": "shop", "version": "1.2.3", "state": "streaming",
            "state_seconds": 7_380.2, "up_seconds": 7_385.0, "beat_seconds_ago": 0.1, "heard_seconds_ago": 1.4,
            "lag_seconds": 0.25, "lag_bytes": 2_048,
            "position": {"durable_lsn": "0/16B3748", "seen_lsn": "0/16B3748", "server_lsn": "0/16B3F48"},
            "slot": {"retained_bytes": 16_777_216, "safe_bytes": 1_073_741_824},
            "transactions": 12_345, "restarts": 1,
            "last_restart": {"seconds_ago": 61.0, "reason": "kafka", "what": "broker down"}, "last_halt": null,
            "entities": [{"entity": "Order", "inserts": 1_000, "updates": 20, "deletes": 3, "suppressed": 4,
                          "old_rows": 50, "remaining_rows": null}],
            "events": [{"entity": "Order", "event": "OrderPaid", "topic": "shop.order-events", "records": 1_234}],
            "backfill": [],
        })
    }

    fn drawn(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut told = told();
        change(&mut told);
        draw(&serde_json::from_value(told).unwrap())
    }

    #[test]
    fn a_page_says_how_far_the_bridge_is() {
        assert_eq!(
            drawn(|_| ()),
            "shop: streaming for 2 h 3 min, ready\n\
             \n\
             version               1.2.3, up 2 h 3 min\n\
             lag                   0.2 s, the server was heard 1 s ago\n\
             in Kafka up to        0/16B3748, 2.0 KiB of log are not yet\n\
             log the server keeps  16.0 MiB, 1.0 GiB until the slot is lost\n\
             transactions          12,345\n\
             began again           once, the last time 1 min 1 s ago: broker down\n\
             \n\
             ENTITY  INSERTS  UPDATES  DELETES  TOLD NOTHING  OLD ROWS\n\
             Order     1,000       20        3             4        50\n\
             \n\
             EVENT      ENTITY  TOPIC              RECORDS\n\
             OrderPaid  Order   shop.order-events    1,234"
        );
    }

    #[test]
    fn what_is_wrong_stands_first() {
        let page = drawn(|told| {
            told["state"] = "halted".into();
            told["ready"] = false.into();
            told["unready"] = "halted: the slot is gone".into();
            told["slot"] = serde_json::Value::Null;
            told["heard_seconds_ago"] = serde_json::Value::Null;
            told["last_halt"] = serde_json::json!({"seconds_ago": 5.0, "reason": "halt", "what": "the slot is gone"});
        });
        assert!(
            page.starts_with("shop: halted for 2 h 3 min, not ready: halted: the slot is gone\n"),
            "{page}"
        );
        for said in [
            "nothing heard of the server yet",
            "log the server keeps  not told yet",
            "halted                5 s ago: the slot is gone",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
    }
}
