//! The small sections: `[cloudevents]`, `[http]`, `[limits]`, `[backfill]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::backfill::ledger::NeverTold;
use crate::bridge::Markers;
use crate::config::file::Section;
use crate::config::file::report::Report;
use crate::config::{Backfill, CloudEvents, Http, Limits};
use crate::flow::generation::OnGone;

const MIB: usize = 1 << 20;
const MEMORY_BYTES_DEFAULT: usize = 64 * MIB;
const ROW_BYTES_DEFAULT: usize = 64 * MIB;
const RECORD_BYTES_DEFAULT: usize = 1_000_000;

pub(super) fn cloudevents(section: Option<Section<'_>>, name: &str, report: &mut Report<'_>) -> CloudEvents {
    let mut found = CloudEvents {
        source: format!("walbridge/{name}"),
        type_prefix: String::new(),
        dataschema_prefix: format!("urn:walbridge:{name}:"),
    };
    let Some(mut section) = section else { return found };
    if let Some(source) = section.take("source").and_then(|node| node.text(report)) {
        found.source = source;
    }
    if let Some(prefix) = section.take("type_prefix").and_then(|node| node.string(report)) {
        found.type_prefix = prefix;
    }
    if let Some(prefix) = section.take("dataschema_prefix").and_then(|node| node.text(report)) {
        found.dataschema_prefix = prefix;
    }
    section.finish(report);
    found
}

pub(super) fn http(section: Option<Section<'_>>, report: &mut Report<'_>) -> Http {
    let mut found = Http {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9400)),
        ready_lag_seconds_max: 60,
        token: None,
    };
    let Some(mut section) = section else { return found };
    if let Some(node) = section.take("listen")
        && let Some(text) = node.text(report)
    {
        match text.parse() {
            Ok(listen) => found.listen = listen,
            Err(_) => {
                let what = format!("{} must be an address and a port", node.path());
                report.push(node.error("config.value", what).repair("listen = \"127.0.0.1:9400\""));
            }
        }
    }
    if let Some(node) = section.take("ready_lag_seconds_max") {
        found.ready_lag_seconds_max = node.integer(1..=i64::from(u32::MAX), report).unwrap_or(60);
    }
    found.token = section.take("token").and_then(|node| node.secret(report));
    section.finish(report);
    found
}

pub(super) fn limits(section: Option<Section<'_>>, report: &mut Report<'_>) -> Limits {
    let mut found = Limits {
        memory_bytes_max: MEMORY_BYTES_DEFAULT,
        row_bytes_max: ROW_BYTES_DEFAULT,
        record_bytes_max: RECORD_BYTES_DEFAULT,
    };
    let Some(mut section) = section else { return found };
    if let Some(node) = section.take("memory_bytes_max") {
        found.memory_bytes_max = node.size(32 * MIB..=64 << 30, report).unwrap_or(MEMORY_BYTES_DEFAULT);
    }
    if let Some(node) = section.take("row_bytes_max") {
        // PostgreSQL sends no message of 1 GiB or more.
        found.row_bytes_max = node.size(1 << 10..=1 << 30, report).unwrap_or(ROW_BYTES_DEFAULT);
    }
    if let Some(node) = section.take("record_bytes_max") {
        // A record must fit into the queue to Kafka, which is a quarter of the memory.
        let queue_max = found.memory_bytes_max / 4;
        found.record_bytes_max = node.size(1_000..=queue_max, report).unwrap_or(RECORD_BYTES_DEFAULT);
    }
    section.finish(report);
    found
}

/// `[backfill]`
pub(super) fn backfill(section: Option<Section<'_>>, report: &mut Report<'_>) -> Backfill {
    let mut found = Backfill::default();
    let Some(mut section) = section else { return found };
    let on_start = section.take("on_start").and_then(|node| node.boolean(report));
    if on_start == Some(false) {
        found.on_start = NeverTold::Leave;
    }
    let words = [("keep", OnGone::Keep), ("reconcile", OnGone::Reconcile)];
    let on_gone = section.take("delete").and_then(|node| node.word(&words, report));
    found.on_gone = on_gone.unwrap_or(found.on_gone);
    let markers = section.take("markers").and_then(|node| node.boolean(report));
    if markers == Some(true) {
        found.markers = Markers::Told;
    }
    let limits = &mut found.limits;
    let rows = section.take("rows_per_chunk");
    let rows = rows.and_then(|node| node.integer(1..=1_000_000, report));
    limits.rows_per_chunk = rows.unwrap_or(limits.rows_per_chunk);
    let rows = section.take("max_rows_per_second");
    let rows = rows.and_then(|node| node.integer(0..=1_000_000_000, report));
    limits.rows_per_second = rows.unwrap_or(0);
    let bytes = section.take("max_bytes_per_second");
    let bytes = bytes.and_then(|node| node.size(0..=1 << 40, report));
    limits.bytes_per_second = bytes.map_or(0, |bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
    let readers = section.take("readers");
    let readers = readers.and_then(|node| node.integer(1..=64, report));
    found.readers = readers.unwrap_or(found.readers);
    let seconds = section.take("max_snapshot_seconds");
    let seconds = seconds.and_then(|node| node.integer(1..=86_400, report));
    found.snapshot_max = seconds.map_or(found.snapshot_max, Duration::from_secs);
    section.finish(report);
    found
}
