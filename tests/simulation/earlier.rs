//! A topic that holds an earlier telling: keys whose rows are still there, come back later, or are gone for good.

use std::collections::BTreeMap;

use walbridge::backfill::target::Target;
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::event::{KindId, TopicId};
use walbridge::flow::generation::{Generation, OldRows, OnGone, Pace, Standing};
use walbridge::flow::position::{Lsn, Position};
use walbridge::sink::memory::{Store, Stored};

use crate::legacy::Dice;
use crate::model::Told;

/// The ranks of old rows, which sort behind all others of their transaction.
const OLD_RANK: u32 = 0x8000_0000;

/// Whether a record tells that a key is gone, without a change that says so.
pub(crate) fn is_swept(stored: &Stored) -> bool {
    stored.value.is_none() && stored.position.rank >= OLD_RANK
}

/// Puts states into the topic that an earlier history told, of some of the keys that are `ever` told and of some that never
/// are; and a generation that begins after them.
pub(crate) fn tell(dice: &mut Dice, ever: &[Vec<Told>], (target, first): (&Target, Checkpoint), store: &mut Store) {
    let keys: BTreeMap<&str, ()> = ever.iter().flatten().map(|told| (told.key.as_str(), ())).collect();
    let ghosts = (0..dice.index(6)).map(|number| format!("ghost {number}"));
    let mut all: Vec<String> = ghosts.collect();
    for (key, ()) in keys {
        if dice.one_in(3) {
            all.push(key.to_owned());
        }
    }
    for (rank, key) in (0..).zip(all) {
        let position = Position {
            epoch: 1,
            commit_lsn: Lsn(1),
            rank,
            part: 0,
        };
        let sequence = String::from_utf8(position.text().to_vec()).expect("a text");
        let document =
            serde_json::json!({"type": "Order", "sequence": sequence, "data": {"number": key, "earlier": true}});
        // A key that was removed by then is nobody's.
        let value = (!dice.one_in(5)).then(|| document.to_string().into_bytes());
        store.records.push(Stored {
            kind: KindId(0),
            topic: TopicId(0),
            position,
            key: key.into_bytes(),
            value,
        });
    }
    let behind = Lsn(first.commit_end_lsn.0 - 1);
    let began = Position {
        epoch: 1,
        commit_lsn: behind,
        rank: OLD_RANK,
        part: 0,
    };
    let generation = Generation {
        number: 2,
        of: target.of(),
        by: target.by(),
        rows: 0,
        standing: Standing::After(None),
        only: None,
        within: Vec::new(),
        later: Vec::new(),
        last: None,
        on_gone: OnGone::Reconcile,
        began: String::from_utf8(began.text().to_vec()).expect("a text"),
        pace: Pace::Going,
    };
    let backfill = OldRows {
        behind,
        told: 0,
        entities: [(target.entity.clone(), generation)].into(),
    };
    let checkpoint = Checkpoint {
        backfill: Some(backfill),
        ..first
    };
    store.checkpoints.push((store.records.len(), checkpoint));
}
