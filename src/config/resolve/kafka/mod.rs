//! `[kafka]`

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use toml::de::DeValue;

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::config::{Limits, SinkChoice};
use crate::secret::Shape;
use crate::sink::kafka::settings::{CreateTopics, Property, Settings, TopicDefaults};
use crate::sink::kafka::{OF_CONSUMERS, OURS};

mod brokers;
mod security;

const TRANSACTION_TIMEOUT_MS: u32 = 60_000;

/// How long librdkafka lets records linger, by either of its names.
const LINGER: [&str; 2] = ["linger.ms", "queue.buffering.max.ms"];

/// Properties whose value is a secret.
const SECRET: [&str; 6] = [
    "sasl.password",
    "ssl.key.password",
    "ssl.keystore.password",
    "ssl.key.pem",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
];

/// The sink's settings, without topics and kinds.
pub(super) fn kafka(
    main: &mut Section<'_>,
    name: &str,
    (sink, limits): (SinkChoice, Limits),
    report: &mut Report<'_>,
) -> Settings {
    let mut found = Settings {
        name: name.to_owned(),
        brokers: String::new(),
        properties: Vec::new(),
        oauth_token: None,
        topics: TopicDefaults {
            create: CreateTopics::Yes,
            partitions: 6,
            replication: 3,
            state: Vec::new(),
            events: Vec::new(),
        },
        written: Vec::new(),
        kinds: Vec::new(),
        record_bytes_max: limits.record_bytes_max,
        queue_bytes_max: limits.memory_bytes_max / 4,
        transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
    };
    let section = match sink {
        SinkChoice::Kafka => main
            .need("kafka", "[kafka]\nbrokers = \"kafka-1:9092\"")
            .and_then(|node| node.table(report)),
        SinkChoice::Stdout => main.section("kafka", report),
    };
    let Some(mut section) = section else { return found };
    let brokers = match sink {
        SinkChoice::Kafka => section.need("brokers", "brokers = \"kafka-1:9092\""),
        SinkChoice::Stdout => section.take("brokers"),
    };
    found.brokers = brokers
        .and_then(|node| brokers::brokers(&node, report))
        .unwrap_or_default();
    found.oauth_token = section.take("oauth_token").and_then(|node| node.secret(report));
    if let Some(node) = section.take("properties")
        && let Some(properties) = node.table(report)
    {
        found.properties = properties_of(properties, report);
        security::check(&node, &found, report);
    }
    let topics = section.section("topics", report);
    topic_defaults(topics, &mut found.topics, report);
    section.finish(report);
    found
}

/// Every property with its full name: TOML reads a bare `a.b = 1` as a table in a table.
fn flat<'a>(mut section: Section<'a>, before: &str, report: &mut Report<'_>) -> Vec<(String, Node<'a>)> {
    let mut found = Vec::new();
    for (key, node) in section.rest() {
        let key = format!("{before}{key}");
        if node.raw().is_table() && !SECRET.contains(&key.as_str()) {
            if let Some(inner) = node.table(report) {
                found.extend(flat(inner, &format!("{key}."), report));
            }
        } else {
            found.push((key, node));
        }
    }
    found
}

fn properties_of(section: Section<'_>, report: &mut Report<'_>) -> Vec<(String, Property)> {
    let mut found = Vec::new();
    for (key, node) in flat(section, "", report) {
        if let Some((_, why)) = OURS.iter().find(|(name, _)| *name == key) {
            let what = format!("{key} cannot be set: the promises rest on it");
            let finding = node.error("config.refused", what);
            report.push(finding.because(*why).repair("take the line out"));
        } else if OF_CONSUMERS.contains(&key.as_str()) {
            let finding = node.error("config.refused", format!("{key} cannot be set: it is for consumers"));
            let why = "the bridge reads its own topics alone, and in its own way";
            report.push(finding.because(why).repair("take the line out"));
        } else if LINGER.contains(&key.as_str()) {
            let what = format!("{key} has no effect: records are sent as soon as somebody waits for them");
            report.push(node.warning("config.no_effect", what).repair("take the line out"));
        } else if SECRET.contains(&key.as_str()) {
            found.extend(secret(&key, &node, report).map(|value| (key, value)));
        } else if let Some(value) = scalar(&node, report) {
            known(&key, &value, &node, report);
            found.push((key, Property::Text(value)));
        }
    }
    found
}

/// Asks librdkafka whether it knows the property and takes the value.
fn known(key: &str, value: &str, node: &Node<'_>, report: &mut Report<'_>) {
    let asked = ClientConfig::new().set(key, value).create_native_config();
    if let Err(KafkaError::ClientConfig(_, said, _, _)) = asked {
        let what = format!("librdkafka does not take {key}: {}", said.trim());
        report.push(node.error("config.value", what));
    }
}

/// A secret property.
fn secret(key: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Property> {
    let shape = if key.ends_with(".pem") {
        Shape::Lines
    } else {
        Shape::OneLine
    };
    // `"${NAME}"` keeps the secret out of the file as well.
    let variable = node
        .raw()
        .as_str()
        .and_then(|text| text.strip_prefix("${")?.strip_suffix('}'));
    if let Some(name) = variable.filter(|name| !name.contains('}')) {
        let revealed = node.secret_of_variable(name, shape, report)?;
        return Some(Property::Text(revealed.expose().to_owned()));
    }
    Some(Property::Secret(node.secret_as(shape, report)?, shape))
}

/// Text, number or boolean, as librdkafka and Kafka want it: as text.
fn scalar(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    match node.raw() {
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::String(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => node.string(report),
    }
}

fn topic_defaults(section: Option<Section<'_>>, found: &mut TopicDefaults, report: &mut Report<'_>) {
    if let Some(mut section) = section {
        if section.take("create").and_then(|node| node.boolean(report)) == Some(false) {
            found.create = CreateTopics::No;
        }
        if let Some(node) = section.take("partitions") {
            found.partitions = node.integer(1..=100_000, report).unwrap_or(found.partitions);
        }
        if let Some(node) = section.take("replication") {
            found.replication = node
                .integer(1..=i64::from(i16::MAX), report)
                .unwrap_or(found.replication);
        }
        if let Some(state) = section.section("state", report) {
            found.state = topic_properties(state, report);
        }
        if let Some(events) = section.section("events", report) {
            found.events = topic_properties(events, report);
        }
        section.finish(report);
    }
    if !found.events.iter().any(|(key, _)| key == "retention.ms") {
        found.events.push(("retention.ms".to_owned(), "-1".to_owned()));
    }
}

fn topic_properties(section: Section<'_>, report: &mut Report<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (key, node) in flat(section, "", report) {
        if key == "cleanup.policy" {
            let finding = node.error("config.refused", format!("{} cannot be set", node.path()));
            report.push(finding.because("state topics are compacted and event topics are not: consumers rest on it"));
            continue;
        }
        found.extend(scalar(&node, report).map(|value| (key, value)));
    }
    found
}
