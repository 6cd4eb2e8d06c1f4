//! What the sink was told, as a consumer reads it.

use walbridge::flow::generation::Standing;
use walbridge::mapping::plan::Mapping;
use walbridge::sink::memory::{Store, Stored};
use walbridge::source::scripted::Log;

use crate::Before;
use crate::model::{Copy, Told, fold};

/// Whether a record tells an old row.
pub(crate) fn is_old(stored: &Stored) -> bool {
    let document = stored
        .value
        .as_ref()
        .map(|value| serde_json::from_slice::<serde_json::Value>(value));
    document.is_some_and(|document| document.expect("JSON")["origin"] == "backfill")
}

/// A record as the model tells it.
pub(crate) fn told(mapping: &Mapping, stored: &Stored) -> Told {
    let kind = &mapping.kinds[usize::from(stored.kind.0)];
    let topic = mapping.topics[usize::from(stored.topic.0)].name.as_str();
    let document: Option<serde_json::Value> = stored
        .value
        .as_ref()
        .map(|value| serde_json::from_slice(value).expect("valid JSON"));
    let names = ["Order", "OrderPlaced", "OrderPaid", "OrderChanged", "OrderRemoved"];
    let name = document.as_ref().map_or(kind.name.as_str(), |document| {
        document["type"].as_str().expect("a type")
    });
    Told {
        topic: ["orders", "order-events"]
            .into_iter()
            .find(|known| *known == topic)
            .expect("a known topic"),
        event: names.into_iter().find(|known| *known == name).expect("a known event"),
        key: String::from_utf8(stored.key.clone()).expect("a text"),
        data: document.map(|document| document["data"].clone()),
    }
}

/// At every stored position, the copy of a consumer against the table.
pub(crate) fn compare(
    (seed, before): (u64, Before),
    expected: &[Vec<Told>],
    all: &[Told],
    (log, store): (&Log, &Store),
) {
    let (mut source, mut derived) = (Copy::new(), Copy::new());
    let (mut deeds_done, mut records_done) = (0, 0);
    for (records, checkpoint) in &store.checkpoints {
        let covered = log
            .committed()
            .partition_point(|deed| deed.end_lsn <= checkpoint.commit_end_lsn);
        expected[deeds_done..covered]
            .iter()
            .flatten()
            .for_each(|told| fold(&mut source, told));
        all[records_done..*records]
            .iter()
            .for_each(|told| fold(&mut derived, told));
        (deeds_done, records_done) = (covered, *records);
        let at = checkpoint.commit_end_lsn;
        let progress = checkpoint.backfill.as_ref().and_then(|old| old.entities.get("Order"));
        let complete = progress.is_some_and(|one| one.standing == Standing::Complete);
        if before == Before::Empty || complete {
            assert_eq!(source, derived, "seed {seed}: the copy differs at {at}");
        }
        if before == Before::Earlier && !complete {
            continue;
        }
        // While old rows are still to come, some are missing; none is another than it should be.
        let stale = derived.iter().find(|(key, value)| source.get(*key) != Some(*value));
        assert_eq!(stale, None, "seed {seed}: the copy holds what is not there at {at}");
    }
    assert_eq!(
        deeds_done,
        expected.len(),
        "seed {seed}: the last position covers everything"
    );
    assert_eq!(source, derived, "seed {seed}: the copy differs in the end");
}
