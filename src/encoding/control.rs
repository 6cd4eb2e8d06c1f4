//! Records that tell something of an entity's stream, and of no row.

use crate::encoding::cloudevents::{Encoder, appended, rfc3339};
use crate::flow::change::CommitTime;
use crate::flow::event::{KindId, append_json_text};
use crate::flow::generation::{Generation, OnGone};
use crate::flow::position::{Lsn, Position};
use crate::flow::record::{Partition, RecordSpan, Records};

/// A control record.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    /// A kind of the topic that it goes to.
    pub kind: KindId,
    /// Whose stream.
    pub entity: &'a str,
    /// What is told.
    pub about: About<'a>,
    /// Its place.
    pub position: Position,
    /// When that was so.
    pub time: CommitTime,
    /// Where it goes; none: where its key belongs.
    pub partition: Option<i32>,
}

/// What a control record tells.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// `<Entity>.backfill`: where a telling of old rows stands.
    Backfill {
        /// Which one.
        generation: &'a Generation,
        /// Where it stands.
        phase: Phase,
        /// The position that is stored with it.
        as_of: Lsn,
    },
    /// `<Entity>.gap`: changes that will never be told.
    Gap {
        /// Committed from here on; none: nobody knows.
        from: Option<Lsn>,
        /// The stream goes on here.
        to: Lsn,
        /// How it came about: the code of a finding.
        reason: &'a str,
    },
}

/// Where a telling of old rows stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its first row comes next.
    Begun,
    /// All of it was told.
    Complete,
    /// An operator ended it.
    Cancelled,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
        }
    }
}

impl About<'_> {
    fn word(&self) -> &'static str {
        match self {
            Self::Backfill { .. } => "backfill",
            Self::Gap { .. } => "gap",
        }
    }

    fn data(&self, epoch: u16, out: &mut Vec<u8>) {
        match *self {
            Self::Backfill {
                generation,
                phase,
                as_of,
            } => {
                let Generation { number, rows, .. } = *generation;
                let told = format!(r#"{{"phase":"{}","generation":{number}"#, phase.word());
                let more = match phase {
                    Phase::Begun => format!(
                        r#","where":{},"reconcile":{}"#,
                        generation.is_of_some(),
                        generation.on_gone == OnGone::Reconcile
                    ),
                    Phase::Complete | Phase::Cancelled => format!(r#","rows":{rows}"#),
                };
                out.extend_from_slice(format!(r#"{told}{more},"as_of":"{as_of}"}}"#).as_bytes());
            }
            Self::Gap { from, to, reason } => {
                let from = from.map_or_else(|| "null".to_owned(), |from| format!("\"{from}\""));
                out.extend_from_slice(format!(r#"{{"from":{from},"to":"{to}","epoch":{epoch},"reason":"#).as_bytes());
                append_json_text(reason.as_bytes(), out);
                out.push(b'}');
            }
        }
    }
}

impl Encoder {
    /// Appends a control record. Its key is `<Entity>.backfill` or `<Entity>.gap`, since a compacted topic needs one.
    pub fn control(&mut self, control: &Control<'_>, to: &mut Records) {
        let Some(fragments) = self.kinds.get(usize::from(control.kind.0)) else {
            debug_assert!(false, "every kind is known from the start");
            return;
        };
        let name = format!("{}.{}", control.entity, control.about.word());
        let id = control.position.text();
        let settings = &self.settings;
        let key = appended(&mut to.bytes, |out| out.extend_from_slice(name.as_bytes()));
        let value = appended(&mut to.bytes, |out| {
            out.extend_from_slice(br#"{"specversion":"1.0","id":""#);
            out.extend_from_slice(&id);
            out.extend_from_slice(br#"","source":"#);
            append_json_text(settings.source.as_bytes(), out);
            out.extend_from_slice(br#","type":"#);
            append_json_text(format!("{}{name}", settings.type_prefix).as_bytes(), out);
            out.extend_from_slice(br#","subject":"#);
            append_json_text(control.entity.as_bytes(), out);
            out.extend_from_slice(br#","time":""#);
            out.extend_from_slice(rfc3339(control.time).as_bytes());
            out.extend_from_slice(br#"","datacontenttype":"application/json","sequence":""#);
            out.extend_from_slice(&id);
            out.extend_from_slice(br#"","data":"#);
            control.about.data(control.position.epoch, out);
            out.push(b'}');
        });
        let end = value.end;
        to.spans.push(RecordSpan {
            kind: control.kind,
            topic: fragments.kind.topic,
            position: control.position,
            partition: control
                .partition
                .map_or_else(|| Partition::Of(key.clone()), Partition::Number),
            key,
            value: Some(value),
            time: end..end,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Settings;
    use crate::encoding::tests::{kind, settings};
    use crate::flow::generation::{Pace, Standing};

    fn generation() -> Generation {
        Generation {
            number: 2,
            of: String::new(),
            by: String::new(),
            rows: 123,
            standing: Standing::Complete,
            only: None,
            within: Vec::new(),
            later: Vec::new(),
            last: None,
            on_gone: OnGone::Reconcile,
            began: String::new(),
            pace: Pace::Going,
        }
    }

    fn written(about: About<'_>, partition: Option<i32>) -> (String, String, RecordSpan) {
        let settings = Settings {
            type_prefix: "com.example.".to_owned(),
            ..settings()
        };
        let mut encoder = Encoder::new(&[kind("Order", &["number"], &["number"])], &settings);
        let mut records = Records::default();
        let control = Control {
            kind: KindId(0),
            entity: "Order",
            about,
            position: Position {
                epoch: 2,
                commit_lsn: Lsn(0x1_6B37_4800),
                rank: 0x8000_0003,
                part: 0,
            },
            time: CommitTime(848_741_400_123_456),
            partition,
        };
        encoder.control(&control, &mut records);
        let span = records.spans.pop().unwrap();
        let text = |range| String::from_utf8(records.part(range).to_vec()).unwrap();
        (text(&span.key), text(span.value.as_ref().unwrap()), span)
    }

    #[test]
    fn a_marker_says_where_a_generation_stands() {
        let generation = generation();
        let about = |phase| About::Backfill {
            generation: &generation,
            phase,
            as_of: Lsn(0x16B_3748),
        };
        let (key, value, span) = written(about(Phase::Begun), Some(5));
        assert_eq!(
            (key.as_str(), &span.partition),
            ("Order.backfill", &Partition::Number(5))
        );
        assert_eq!(
            value,
            r#"{"specversion":"1.0","id":"0002-000000016B374800-80000003-00","source":"walbridge/shop","type":"com.example.Order.backfill","subject":"Order","time":"2026-11-23T09:30:00.123456Z","datacontenttype":"application/json","sequence":"0002-000000016B374800-80000003-00","data":{"phase":"begun","generation":2,"where":false,"reconcile":true,"as_of":"0/16B3748"}}"#
        );
        for (phase, word) in [(Phase::Complete, "complete"), (Phase::Cancelled, "cancelled")] {
            let (_, value, _) = written(about(phase), Some(0));
            let value: serde_json::Value = serde_json::from_str(&value).unwrap();
            let expected = serde_json::json!({"phase": word, "generation": 2, "rows": 123, "as_of": "0/16B3748"});
            assert_eq!(value["data"], expected);
        }
    }

    #[test]
    fn a_gap_says_what_will_never_be_told() {
        let gap = |from| About::Gap {
            from,
            to: Lsn(0x20),
            reason: "source.slot_lost",
        };
        let (key, value, span) = written(gap(Some(Lsn(0x10))), None);
        assert_eq!(
            (key.as_str(), &span.partition),
            ("Order.gap", &Partition::Of(span.key.clone()))
        );
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["type"], "com.example.Order.gap");
        let expected = serde_json::json!({"from": "0/10", "to": "0/20", "epoch": 2, "reason": "source.slot_lost"});
        assert_eq!(value["data"], expected);
        let (_, value, _) = written(gap(None), None);
        let value: serde_json::Value = serde_json::from_str(&value).unwrap();
        assert_eq!(value["data"]["from"], serde_json::Value::Null);
    }
}
