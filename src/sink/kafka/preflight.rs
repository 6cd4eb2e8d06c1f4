//! What can be known of Kafka before anything is written.

use rdkafka::admin::ConfigResource;

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;
use crate::sink::kafka::client::{FRAME_BYTES_MAX, position_topic};
use crate::sink::kafka::settings::{CreateTopics, Holds, Settings};
use crate::sink::kafka::topics::{Cluster, describe, missing, properties, wanted};

/// Looks at brokers and topics; writes nothing.
pub fn preflight(settings: &Settings) -> Vec<Finding> {
    let there = match describe(settings) {
        Ok(there) => there,
        Err(error) => return vec![unreachable(settings, error)],
    };
    let mut findings = brokers(settings, &there);
    let mut existing = Vec::new();
    for (name, partitions) in wanted(settings) {
        match there.partitions.get(&name) {
            None => findings.push(absent(settings, &name)),
            Some(count) => {
                findings.extend(counts(settings, &name, (partitions, *count)));
                existing.push(name);
            }
        }
    }
    if existing.is_empty() {
        return findings;
    }
    match properties(settings, &existing) {
        Ok(described) => {
            for (name, resource) in &described {
                findings.extend(policy(settings, name, resource));
                findings.extend(limit(settings, name, resource));
                if there.brokers.len() > 1 {
                    findings.extend(durability(name, resource));
                }
            }
        }
        Err(error) => findings.push(Finding::warning(
            Cause::Surroundings,
            "kafka.topics_unknown",
            format!("cannot see the properties of topics: {error}"),
        )),
    }
    findings
}

fn unreachable(settings: &Settings, error: SinkError) -> Finding {
    match error {
        SinkError::Halt(finding) => *finding,
        SinkError::Transient(why) | SinkError::Overrun(why) => Finding::error(
            Cause::Surroundings,
            "kafka.unreachable",
            format!("cannot reach Kafka at {}", settings.brokers),
        )
        .because(why)
        .repair("correct kafka.brokers, or security.protocol, ssl.* and sasl.* in kafka.properties"),
        SinkError::Fenced { nonce } => Finding::error(
            Cause::Surroundings,
            "kafka.fenced",
            format!("another instance ({nonce}) took over"),
        ),
    }
}

fn brokers(settings: &Settings, there: &Cluster) -> Vec<Finding> {
    let replication = usize::try_from(settings.topics.replication).unwrap_or(0);
    let any_missing = wanted(settings)
        .iter()
        .any(|(name, _)| !there.partitions.contains_key(name));
    if any_missing && settings.topics.create == CreateTopics::Yes && replication > there.brokers.len() {
        return vec![
            Finding::error(
                Cause::Surroundings,
                "kafka.replication_impossible",
                format!(
                    "new topics are to have {replication} replicas, but there are {} brokers",
                    there.brokers.len()
                ),
            )
            .repair(format!("kafka.topics.replication = {}", there.brokers.len())),
        ];
    }
    if there.brokers.len() > 1 && replication < 3 {
        return vec![
            Finding::warning(
                Cause::Config,
                "kafka.replication_low",
                format!("new topics have {replication} replicas"),
            )
            .because("with fewer than 3 replicas an acknowledged record can be lost with a broker")
            .repair("kafka.topics.replication = 3"),
        ];
    }
    Vec::new()
}

fn absent(settings: &Settings, name: &str) -> Finding {
    match settings.topics.create {
        CreateTopics::Yes => Finding::note(
            Cause::Surroundings,
            "kafka.topic_missing",
            format!("topic {name} will be made"),
        ),
        CreateTopics::No => missing(settings, name),
    }
}

pub(super) fn counts(settings: &Settings, name: &str, (wanted, there): (i32, i32)) -> Option<Finding> {
    if wanted == there {
        return None;
    }
    if name == position_topic(&settings.name) {
        return Some(
            Finding::warning(
                Cause::Surroundings,
                "kafka.position_partitions",
                format!("topic {name} has {there} partitions; only the first is used"),
            )
            .repair("make it again with one partition while the bridge is stopped and no position is stored"),
        );
    }
    Some(
        Finding::warning(
            Cause::Surroundings,
            "kafka.partitions_differ",
            format!("topic {name} has {there} partitions, and kafka.topics.partitions says {wanted}"),
        )
        .because("the topic's own count is used")
        .repair(format!("kafka.topics.partitions = {there}")),
    )
}

fn value<'a>(resource: &'a ConfigResource, name: &str) -> &'a str {
    resource
        .get(name)
        .and_then(|entry| entry.value.as_deref())
        .unwrap_or_default()
}

fn policy(settings: &Settings, name: &str, resource: &ConfigResource) -> Option<Finding> {
    let policy = value(resource, "cleanup.policy");
    let compacted = policy.split(',').any(|word| word.trim() == "compact");
    let compact = format!(
        "kafka-configs --bootstrap-server {} --alter --topic {name} --add-config cleanup.policy=compact",
        settings.brokers
    );
    match settings
        .written
        .iter()
        .find(|topic| topic.name == name)
        .map(|topic| topic.holds)
    {
        None if !compacted => Some(
            Finding::error(
                Cause::Surroundings,
                "kafka.position_expires",
                format!("topic {name} is not compacted"),
            )
            .because("the position is deleted after the topic's retention")
            .repair(compact),
        ),
        Some(Holds::States) if !compacted => Some(
            Finding::warning(
                Cause::Surroundings,
                "kafka.states_expire",
                format!("state topic {name} is not compacted"),
            )
            .because("states that do not change are deleted after the topic's retention")
            .repair(compact),
        ),
        Some(Holds::Events) if compacted => Some(
            Finding::warning(
                Cause::Surroundings,
                "kafka.events_compacted",
                format!("event topic {name} is compacted"),
            )
            .because("only the last event of each key is kept")
            .repair(compact.replace("cleanup.policy=compact", "cleanup.policy=delete")),
        ),
        None | Some(Holds::States | Holds::Events) => None,
    }
}

/// A topic that refuses records which the bridge would send.
fn limit(settings: &Settings, name: &str, resource: &ConfigResource) -> Option<Finding> {
    let takes: usize = value(resource, "max.message.bytes").parse().ok()?;
    let sent = settings.record_bytes_max;
    (takes < sent && name != position_topic(&settings.name)).then(|| {
        Finding::warning(
            Cause::Surroundings,
            "kafka.record_limit",
            format!("topic {name} takes {takes} bytes at once, and limits.record_bytes_max is {sent}"),
        )
        .because("a record or a batch in between halts the bridge, unless it is compressed to less")
        .repair(format!(
            "kafka-configs --bootstrap-server {} --alter --topic {name} --add-config max.message.bytes={}",
            settings.brokers,
            sent.saturating_add(FRAME_BYTES_MAX)
        ))
    })
}

fn durability(name: &str, resource: &ConfigResource) -> Vec<Finding> {
    let mut findings = Vec::new();
    if matches!(value(resource, "min.insync.replicas"), "" | "0" | "1") {
        findings.push(
            Finding::warning(
                Cause::Surroundings,
                "kafka.min_insync_low",
                format!("topic {name} has min.insync.replicas below 2"),
            )
            .because("an acknowledged record can be lost with its leader")
            .repair(format!(
                "kafka-configs --alter --topic {name} --add-config min.insync.replicas=2"
            )),
        );
    }
    if value(resource, "unclean.leader.election.enable") == "true" {
        findings.push(
            Finding::warning(
                Cause::Surroundings,
                "kafka.unclean_election",
                format!("topic {name} allows unclean leader election"),
            )
            .because("acknowledged records and transaction markers can be lost")
            .repair(format!(
                "kafka-configs --alter --topic {name} --add-config unclean.leader.election.enable=false"
            )),
        );
    }
    findings
}
