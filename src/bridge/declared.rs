//! What another config means for the topics: said at the start, told again where it must be, or left to an operator.

use crate::bridge::BridgeError;
use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::declaration::Declarations;
use crate::mapping::difference::{Difference, Means, differences};

/// Whether an operator has decided for what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// `--accept`
    Yes,
    /// Nobody was asked.
    No,
}

/// Entities that were told by another declaration than `now`, which is to be stored.
///
/// # Errors
/// A halt where an operator must decide first.
pub(super) fn declare(
    now: &Declarations,
    accept: Accept,
    checkpoint: &mut Checkpoint,
) -> Result<Vec<String>, BridgeError> {
    let before = checkpoint.declared.replace(now.clone());
    let found = before.map(|before| differences(&before, now)).unwrap_or_default();
    if let Some(finding) = undecided(&found, accept) {
        return Err(BridgeError::Halt(Box::new(finding)));
    }
    let mut changed = Vec::new();
    for Difference { entity, says, means } in found {
        tracing::info!(entity, "{says}");
        if means != Means::Nothing && !changed.contains(&entity) {
            changed.push(entity);
        }
    }
    Ok(changed)
}

/// What an operator must decide, or has decided for in vain.
pub fn undecided(found: &[Difference], accept: Accept) -> Option<Finding> {
    let holds_up = |one: &&Difference| match one.means {
        Means::NewTopic => true,
        Means::Decide => accept == Accept::No,
        Means::TellAgain | Means::Nothing => false,
    };
    let Difference { entity, says, means } = found.iter().find(holds_up)?;
    let finding = Finding::error(
        Cause::Surroundings,
        "mapping.undecided",
        format!("{entity} {says}, in a topic that goes on"),
    );
    Some(if *means == Means::NewTopic {
        let why = "the tombstone of the old place would come after the state in the new one, and remove it";
        finding
            .because(why)
            .repair(format!("name new topics in [entity.{entity}]"))
    } else {
        let why = "consumers that follow the old key would not know which of the new ones is meant, and events of one thing \
                   would lie in two partitions";
        finding.because(why).repair(format!(
            "name new topics in [entity.{entity}]; or start once with `walbridge run --accept`: states are told again \
             under the new key, and old keys get tombstones"
        ))
    })
}
