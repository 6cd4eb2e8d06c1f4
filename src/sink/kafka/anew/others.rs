//! Bridges beside this one: each has a position topic of its own in the same Kafka.

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;
use crate::sink::kafka::reading::checkpoint::newest_of_ours;
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::topics;

/// Why a slot without a position is not to be adopted: the position of another bridge rests on it. One whose topic may not
/// be read, or cannot be, says nothing.
///
/// # Errors
/// See [`SinkError`].
pub fn slot_of_another(settings: &Settings, (system, slot): (&str, &str)) -> Result<Option<Finding>, SinkError> {
    let there = topics::describe(settings)?;
    let names = there.partitions.keys().filter_map(|topic| bridge_of(topic));
    for name in names.filter(|name| *name != settings.name) {
        let other = Settings {
            name: name.to_owned(),
            ..settings.clone()
        };
        let stored = match newest_of_ours(&other) {
            Ok(stored) => stored,
            Err(error) => {
                tracing::debug!(%error, name, "what another bridge has stored is not known");
                continue;
            }
        };
        if stored.is_some_and(|stored| stored.slot == slot && stored.system_identifier == system) {
            let what = format!("the slot {slot} is of another bridge, {name}: its position rests on it");
            let finding = Finding::error(Cause::Surroundings, "source.slot_of_another", what);
            return Ok(Some(
                finding
                    .because("of two bridges on one slot, each misses what the other has read")
                    .repair(format!(
                        "another `slot` in [source], then: walbridge setup -c FILE --apply; or name = \"{name}\" in [bridge], to \
                         go on in its place"
                    )),
            ));
        }
    }
    Ok(None)
}

/// The bridge of a position topic.
fn bridge_of(topic: &str) -> Option<&str> {
    let name = topic.strip_prefix("walbridge.")?.strip_suffix(".position")?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::bridge_of;

    #[test]
    fn a_bridge_is_known_by_its_position_topic() {
        assert_eq!(bridge_of("walbridge.shop.position"), Some("shop"));
        for other in ["shop.orders", "walbridge.shop", "walbridge.position", "shop.position"] {
            assert_eq!(bridge_of(other), None, "{other}");
        }
    }
}
