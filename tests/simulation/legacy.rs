//! A legacy database in memory: random transactions, as a log and as the records that should come of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use walbridge::flow::table::{Column, ReplicaIdentity, Table, TableName};
use walbridge::source::postgres::pgoutput::encode::{Old, Value};
use walbridge::source::scripted::Entry;

use crate::model::{Row, Told, tell};

/// Numbers from a seed (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }

    pub(crate) fn index(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from(self.below(end)).expect("a small number")
    }

    pub(crate) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// How much happens in a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    /// More than one buffer of records.
    Giant,
}

/// A transaction: what the log holds, and what should be told.
pub(crate) struct Deed {
    pub(crate) entries: Vec<Entry>,
    pub(crate) told: Vec<Told>,
}

/// The shape of `public.ord`.
pub(crate) fn table() -> Arc<Table> {
    let column = |name: &str, type_oid| Column {
        name: name.to_owned(),
        type_oid,
        type_modifier: -1,
        in_identity: true,
    };
    Arc::new(Table {
        oid: 16_384,
        name: TableName::new("public", "ord"),
        identity: ReplicaIdentity::Full,
        columns: vec![
            column("no", 25),
            column("typ", 25),
            column("sts", 25),
            column("ct", 20),
            column("rmk", 25),
        ],
    })
}

fn values(row: &Row) -> Vec<Value> {
    vec![
        Value::Text(row.number.clone()),
        Value::Text(row.kind.to_string()),
        Value::Text(row.status.to_string()),
        Value::Text(row.cents.to_string()),
        row.note.clone().map_or(Value::Null, Value::Text),
    ]
}

/// Random transactions over few keys, so that they meet.
pub(crate) fn deeds(dice: &mut Dice, count: usize) -> Vec<Deed> {
    let table = table();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut deeds = Vec::new();
    for _ in 0..count {
        let size = if dice.one_in(100) { Size::Giant } else { Size::Small };
        let changes = if size == Size::Giant { 600 } else { 1 + dice.below(6) };
        let mut deed = Deed {
            entries: Vec::new(),
            told: Vec::new(),
        };
        for _ in 0..changes {
            change(dice, &table, &mut rows, &mut deed, size);
        }
        deeds.push(deed);
    }
    deeds
}

fn note(dice: &mut Dice, size: Size) -> Option<String> {
    let length = match dice.below(4) {
        0 => return None,
        1 if size == Size::Giant => 6_000,
        1 => 400,
        _ => 3,
    };
    Some("ä\"\\\n".chars().cycle().skip(dice.index(4)).take(length).collect())
}

fn row(dice: &mut Dice, number: String, size: Size) -> Row {
    Row {
        number,
        kind: if dice.one_in(4) { 'Q' } else { 'S' },
        status: if dice.one_in(3) { 'P' } else { 'N' },
        cents: i64::try_from(dice.below(20_000)).expect("a small number") - 5_000,
        note: note(dice, size),
    }
}

fn change(dice: &mut Dice, table: &Arc<Table>, rows: &mut BTreeMap<String, Row>, deed: &mut Deed, size: Size) {
    let number = format!("A-{}", dice.below(if size == Size::Giant { 200 } else { 12 }));
    let (old, new) = match rows.get(&number).cloned() {
        None => (None, Some(row(dice, number, size))),
        Some(old) if dice.one_in(4) => (Some(old), None),
        Some(old) => {
            let mut new = row(dice, number, size);
            if dice.one_in(2) {
                new.note = old.note.clone();
            }
            if dice.one_in(5) {
                new = old.clone();
            }
            let other = format!("B-{}", dice.below(12));
            if dice.one_in(6) && !rows.contains_key(&other) {
                new.number = other;
            }
            (Some(old), Some(new))
        }
    };
    deed.told.extend(tell(old.as_ref(), new.as_ref()));
    if let Some(old) = &old {
        rows.remove(&old.number);
    }
    if let Some(new) = &new {
        rows.insert(new.number.clone(), new.clone());
    }
    let table = Arc::clone(table);
    deed.entries.push(match (&old, &new) {
        (Some(old), Some(new)) => {
            let mut sent = values(new);
            // A long value that did not change is not sent again.
            if old.note == new.note
                && old.note.as_ref().is_some_and(|note| note.len() > 100)
                && let Some(note) = sent.last_mut()
            {
                *note = Value::Unchanged;
            }
            Entry::Update {
                table,
                old: Old::Full(values(old)),
                new: sent,
            }
        }
        (Some(old), None) => Entry::Delete {
            table,
            old: Old::Full(values(old)),
        },
        (None, Some(new)) => Entry::Insert {
            table,
            new: values(new),
        },
        (None, None) => unreachable!("a change changes something"),
    });
}
