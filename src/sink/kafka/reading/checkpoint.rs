//! The position record, as it is kept in the position topic.

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use serde::{Deserialize, Serialize};

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::{Checkpoint, Leaves};
use crate::flow::declaration::Declarations;
use crate::sink::SinkError;
use crate::sink::kafka::client::position_topic;
use crate::sink::kafka::reading::{COMMITTED, Patience, UNCOMMITTED, client, extent, let_go, through};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::shared::Stop;
use crate::sink::kafka::topics;

/// Where the reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink::kafka) enum End {
    /// At the high watermark: for who has fenced every other producer, so that nothing is open below it for long.
    HighWatermark,
    /// Where no transaction is open: for a look beside a bridge that runs.
    Stable,
}

impl End {
    fn isolation(self) -> &'static str {
        match self {
            Self::HighWatermark => UNCOMMITTED,
            Self::Stable => COMMITTED,
        }
    }
}

/// The newest committed checkpoint; none where the topic is empty or missing. Each of `stops` ends the wait for it.
pub(in crate::sink::kafka) fn newest(
    settings: &Settings,
    end: End,
    stops: &[&Stop],
) -> Result<Option<Checkpoint>, SinkError> {
    let held = held(settings, end, stops)?;
    let ours = held.position.as_ref().map(|(offset, _)| *offset);
    match held.foreign.filter(|foreign| Some(*foreign) > ours) {
        Some(foreign) => Err(not_ours(settings, foreign)),
        None => held.checkpoint(settings),
    }
}

/// The newest one that this bridge stored, whatever others wrote behind it; for a look beside a bridge that runs.
///
/// # Errors
/// See [`SinkError`].
pub fn newest_of_ours(settings: &Settings) -> Result<Option<Checkpoint>, SinkError> {
    ours(settings, End::Stable)
}

/// The same, up to an end.
pub(in crate::sink::kafka) fn ours(settings: &Settings, end: End) -> Result<Option<Checkpoint>, SinkError> {
    held(settings, end, &[])?.checkpoint(settings)
}

/// What a position topic holds: the newest of each, positions with their offsets.
#[derive(Default)]
struct Held {
    position: Option<(i64, Option<Vec<u8>>)>,
    declared: Option<Vec<u8>>,
    /// Offset of a record that this bridge did not write.
    foreign: Option<i64>,
}

impl Held {
    fn checkpoint(self, settings: &Settings) -> Result<Option<Checkpoint>, SinkError> {
        let Some((offset, Some(value))) = self.position else {
            return Ok(None);
        };
        let found = decode(settings, offset, &value)?;
        // What another version wrote otherwise is not known, as if it had not been written.
        let declared = self
            .declared
            .and_then(|value| serde_json::from_slice::<ReadDeclared>(&value).ok());
        let (declared, leaves) = declared.map_or((None, None), |read| (Some(read.declared), read.leaves));
        Ok(Some(Checkpoint {
            declared,
            leaves,
            ..found
        }))
    }
}

fn held(settings: &Settings, end: End, stops: &[&Stop]) -> Result<Held, SinkError> {
    let topic = position_topic(&settings.name);
    let asking = client(settings, end.isolation())?;
    let mut held = Held::default();
    if !topics::describe_by(asking.client(), settings)?
        .partitions
        .contains_key(&topic)
    {
        return Ok(held);
    }
    let stretch = extent(&asking, &topic, 0)?;
    let reading = match end {
        End::Stable => asking,
        End::HighWatermark => {
            let_go(asking);
            client(settings, COMMITTED)?
        }
    };
    through(&reading, &stretch, Patience::usual(stops), |message| {
        let key = message.key().unwrap_or_default();
        let value = message.payload().map(<[u8]>::to_vec);
        if key == declared_key(settings).as_bytes() {
            held.declared = value;
        } else if key == settings.name.as_bytes() {
            held.position = Some((message.offset(), value));
        } else {
            held.foreign = Some(message.offset());
        }
    })?;
    let_go(reading);
    Ok(held)
}

/// The record that says how entities are declared, and which partitions tables have: a position too, for whoever reads every
/// record of the topic as one.
#[derive(Serialize)]
pub(in crate::sink::kafka) struct Declared<'a> {
    #[serde(flatten)]
    at: &'a Checkpoint,
    declared: &'a Declarations,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<&'a Leaves>,
}

impl<'a> Declared<'a> {
    pub(in crate::sink::kafka) fn of(at: &'a Checkpoint, declared: &'a Declarations) -> Self {
        Self {
            at,
            declared,
            leaves: at.leaves.as_ref(),
        }
    }
}

/// What is read of it.
#[derive(Deserialize)]
struct ReadDeclared {
    declared: Declarations,
    leaves: Option<Leaves>,
}

/// Key of the record that says how entities are declared.
pub(in crate::sink::kafka) fn declared_key(settings: &Settings) -> String {
    format!("{}.declared", settings.name)
}

/// A record's value: a position, or how entities are declared.
pub(in crate::sink::kafka) fn encode(stored: &impl Serialize) -> Result<Vec<u8>, SinkError> {
    serde_json::to_vec(stored).map_err(|error| {
        SinkError::Halt(Box::new(Finding::error(
            Cause::Surroundings,
            "kafka.position_unwritable",
            format!("cannot write a position as JSON: {error}"),
        )))
    })
}

fn not_ours(settings: &Settings, offset: i64) -> SinkError {
    let topic = position_topic(&settings.name);
    let what = format!(
        "the newest record of {topic} (offset {offset}) is not of bridge {}",
        settings.name
    );
    SinkError::Halt(Box::new(
        Finding::error(Cause::Surroundings, "kafka.position_foreign", what)
            .because("somebody else writes where only this bridge may: what it has stored may not be all that was published")
            .repair("keep other writers off the topic, then: walbridge recover -c FILE, which goes on from this bridge's own"),
    ))
}

fn decode(settings: &Settings, offset: i64, value: &[u8]) -> Result<Checkpoint, SinkError> {
    serde_json::from_slice(value).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let topic = position_topic(&settings.name);
        let what = format!("cannot read the position in {topic} at offset {offset} ({place})");
        SinkError::Halt(Box::new(
            Finding::error(Cause::Surroundings, "kafka.position_unreadable", what)
                .because("without a position it is not known what has been published")
                .repair("walbridge recover -c FILE"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::contract::{checkpoint, settings};

    fn held(value: Option<&str>) -> Held {
        Held {
            position: Some((3, value.map(|value| value.as_bytes().to_vec()))),
            ..Held::default()
        }
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let settings = settings("shop", "localhost:1");
        let written = checkpoint(0x16B_3748);
        let value = String::from_utf8(encode(&written).unwrap()).unwrap();
        assert_eq!(held(Some(&value)).checkpoint(&settings).unwrap(), Some(written));
        assert_eq!(held(None).checkpoint(&settings).unwrap(), None);
    }

    #[test]
    fn a_position_of_another_form_halts() {
        let settings = settings("shop", "localhost:1");
        for value in ["{}", ""] {
            let Err(SinkError::Halt(finding)) = held(Some(value)).checkpoint(&settings) else {
                panic!("{value}");
            };
            assert_eq!(finding.code, "kafka.position_unreadable");
        }
    }
}
