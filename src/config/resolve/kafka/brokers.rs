//! `brokers`: hosts with their ports, and nothing of how one speaks to them.
//!
//! Other programs take a protocol or a login here, and so does librdkafka a protocol, as long as it is the one of
//! `security.protocol`. The login would be a secret in the file, and either would stand in two places.

use crate::config::file::Node;
use crate::config::file::report::Report;
use crate::finding::Finding;

const EXAMPLE: &str = "brokers = \"kafka-1:9092,kafka-2:9092\"";

/// What `security.protocol` can be.
const PROTOCOLS: [&str; 4] = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];

/// The list, where each is a host and a port.
pub(super) fn brokers(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = node.text(report)?;
    let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
    if text.contains('@') {
        // Masked as a whole: what is a password ends where nobody can say.
        report.push_masked(with_login(node, &brokers));
        return None;
    }
    if let Some((scheme, _)) = brokers.iter().find_map(|broker| broker.split_once("://")) {
        report.push(with_scheme(node, scheme, &brokers));
        return None;
    }
    let Some(wrong) = brokers.iter().find(|broker| !is_broker(broker)) else {
        return Some(text);
    };
    let what = format!("{} must be host:port, and more of them after commas", node.path());
    let finding = node.error("config.value", what).at(node.part(wrong));
    report.push(finding.repair(EXAMPLE));
    None
}

fn with_login(node: &Node<'_>, brokers: &[&str]) -> Finding {
    let what = format!("{} holds a login: it takes host:port and nothing else", node.path());
    // A comma may be of the password.
    let are_all = brokers.iter().all(|broker| broker.contains('@'));
    let line = if are_all { bare(brokers) } else { None };
    node.error("config.value", what)
        .because("config files are copied, committed and printed")
        .repair(format!(
            "{}, and under [kafka.properties]: \"security.protocol\" = \"sasl_ssl\", \"sasl.mechanisms\" = \"…\", \
             \"sasl.username\" = \"…\", \"sasl.password\" = {{ file = \"…\" }}",
            line.as_deref().unwrap_or(EXAMPLE)
        ))
}

fn with_scheme(node: &Node<'_>, scheme: &str, brokers: &[&str]) -> Finding {
    let written = format!("{scheme}://");
    let what = format!("{} says {written}: it takes host:port and nothing else", node.path());
    let line = bare(brokers).unwrap_or_else(|| EXAMPLE.to_owned());
    let protocol = scheme.to_ascii_lowercase();
    let repair = if PROTOCOLS.contains(&protocol.as_str()) {
        format!("{line}, and under [kafka.properties]: \"security.protocol\" = \"{protocol}\"")
    } else {
        line
    };
    let finding = node.error("config.value", what).at(node.part(&written));
    finding
        .because("how one speaks to Kafka is said once, in [kafka.properties]")
        .repair(repair)
}

/// The line with hosts and ports alone, where that is what is left.
fn bare(brokers: &[&str]) -> Option<String> {
    let mut found = Vec::new();
    for broker in brokers {
        let behind = broker.rsplit_once('@').map_or(*broker, |(_, behind)| behind);
        let behind = behind.rsplit_once("://").map_or(behind, |(_, behind)| behind);
        let host = behind.trim_end_matches('/');
        if !is_broker(host) {
            return None;
        }
        let has_port = host.contains(':');
        found.push(if has_port {
            host.to_owned()
        } else {
            format!("{host}:9092")
        });
    }
    Some(format!("brokers = \"{}\"", found.join(",")))
}

/// A host, or an address of version 6 in brackets; with a port or without.
fn is_broker(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok()),
        None => (text, Some(9092)),
    };
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let is_letter = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
            !host.is_empty() && host.chars().all(is_letter)
        }
    };
    is_host && port.is_some_and(|port| port > 0)
}
