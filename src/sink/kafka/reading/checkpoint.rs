//! The position record, as it is kept in the position topic.

use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use serde::{Deserialize, Serialize};

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
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
    let topic = position_topic(&settings.name);
    let asking = client(settings, end.isolation())?;
    if !topics::describe_by(asking.client(), settings)?
        .partitions
        .contains_key(&topic)
    {
        return Ok(None);
    }
    let stretch = extent(&asking, &topic, 0)?;
    let reading = match end {
        End::Stable => asking,
        End::HighWatermark => {
            let_go(asking);
            client(settings, COMMITTED)?
        }
    };
    let (mut last, mut declared) = (None, None);
    through(&reading, &stretch, Patience::usual(stops), |message| {
        let key = message.key().unwrap_or_default();
        let value = message.payload().map(<[u8]>::to_vec);
        if key == declared_key(settings).as_bytes() {
            declared = value;
        } else {
            last = Some((message.offset(), key.to_vec(), value));
        }
    })?;
    let_go(reading);
    let Some((offset, key, value)) = last else {
        return Ok(None);
    };
    let found = decode(settings, offset, &key, value.as_deref())?;
    Ok(found.map(|checkpoint| Checkpoint {
        // What another version wrote otherwise is not known, as if it had not been written.
        declared: declared
            .and_then(|value| serde_json::from_slice::<ReadDeclared>(&value).ok())
            .map(|read| read.declared),
        ..checkpoint
    }))
}

/// The record that says how entities are declared: a position too, for whoever reads every record of the topic as one.
#[derive(Serialize)]
pub(in crate::sink::kafka) struct Declared<'a> {
    #[serde(flatten)]
    at: &'a Checkpoint,
    declared: &'a Declarations,
}

impl<'a> Declared<'a> {
    pub(in crate::sink::kafka) fn of(at: &'a Checkpoint, declared: &'a Declarations) -> Self {
        Self { at, declared }
    }
}

/// What is read of it.
#[derive(Deserialize)]
struct ReadDeclared {
    declared: Declarations,
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

fn decode(settings: &Settings, offset: i64, key: &[u8], value: Option<&[u8]>) -> Result<Option<Checkpoint>, SinkError> {
    let halt = |code: &'static str, what: String| {
        SinkError::Halt(Box::new(
            Finding::error(Cause::Surroundings, code, what)
                .because("without a position it is not known what has been published")
                .repair("walbridge recover -c FILE"),
        ))
    };
    let topic = position_topic(&settings.name);
    if key != settings.name.as_bytes() {
        return Err(halt(
            "kafka.position_foreign",
            format!(
                "the newest record of {topic} (offset {offset}) is not of bridge {}",
                settings.name
            ),
        ));
    }
    let Some(value) = value else {
        return Ok(None);
    };
    serde_json::from_slice(value).map(Some).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        halt(
            "kafka.position_unreadable",
            format!("cannot read the position in {topic} at offset {offset} ({place})"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::contract::{checkpoint, settings};

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let settings = settings("shop", "localhost:1");
        let written = checkpoint(0x16B_3748);
        let value = encode(&written).unwrap();
        assert_eq!(decode(&settings, 3, b"shop", Some(&value)).unwrap(), Some(written));
        assert_eq!(decode(&settings, 3, b"shop", None).unwrap(), None);
    }

    #[test]
    fn a_position_of_another_bridge_or_form_halts() {
        let settings = settings("shop", "localhost:1");
        for (key, value, code) in [
            ("other", "{}", "kafka.position_foreign"),
            ("shop", "{}", "kafka.position_unreadable"),
            ("shop", "", "kafka.position_unreadable"),
        ] {
            let Err(SinkError::Halt(finding)) = decode(&settings, 3, key.as_bytes(), Some(value.as_bytes())) else {
                panic!("{key} {value}");
            };
            assert_eq!(finding.code, code);
        }
    }
}
