//! What another config means for the topics: said at the start, told again where it must be, or left to an operator.

use crate::backfill::ledger::Changed;
use crate::bridge::BridgeError;
use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::declaration::{Declaration, Declarations};
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
pub(super) fn declare(now: &Declarations, accept: Accept, checkpoint: &mut Checkpoint) -> Result<Changed, BridgeError> {
    let before = checkpoint.declared.take();
    let found = before
        .as_ref()
        .map(|before| differences(before, now))
        .unwrap_or_default();
    // What was told stays in the topics, also of an entity that is left out for a while.
    let left = before
        .into_iter()
        .flatten()
        .filter(|(entity, _)| !now.contains_key(entity));
    let left = left.map(|(entity, one)| (entity, Declaration { gone: true, ..one }));
    let now = now.clone().into_iter().map(|(entity, one)| (entity, one.as_stored()));
    checkpoint.declared = Some(now.chain(left).collect());
    if let Some(finding) = undecided(&found, accept) {
        return Err(BridgeError::Halt(Box::new(finding)));
    }
    let mut changed = Changed::default();
    for Difference { entity, says, means } in found {
        tracing::info!(entity, "{says}");
        let entities = match means {
            Means::Nothing | Means::Begin => continue,
            Means::TellAgain => &mut changed.told_again,
            Means::Decide | Means::NewTopic => &mut changed.accepted,
        };
        entities.insert(entity);
    }
    Ok(changed)
}

/// What an operator must decide, or has decided for in vain.
pub fn undecided(found: &[Difference], accept: Accept) -> Option<Finding> {
    let holds_up = |one: &&Difference| match one.means {
        Means::NewTopic => true,
        Means::Decide => accept == Accept::No,
        Means::TellAgain | Means::Nothing | Means::Begin => false,
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
            "name new topics in [entity.{entity}]; or start once with `walbridge run --accept -c FILE`: what it has of \
             states is told again under the new key, and old keys get tombstones"
        ))
    })
}
