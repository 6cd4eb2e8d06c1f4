//! What the properties in `[kafka.properties]` say of TLS and login when they are taken together.

use std::net::IpAddr;

use crate::config::file::Node;
use crate::config::file::report::Report;
use crate::finding::Finding;
use crate::sink::kafka::settings::{Property, Settings};

/// Ways to log in that the build of librdkafka in use speaks.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

/// Looks at them together.
pub(super) fn check(node: &Node<'_>, settings: &Settings, report: &mut Report<'_>) {
    let text = |name: &str| {
        settings.properties.iter().find_map(|(key, value)| match value {
            Property::Text(text) if key == name => Some(text.as_str()),
            Property::Text(_) | Property::Secret(..) => None,
        })
    };
    let any = |start: &str| settings.properties.iter().any(|(key, _)| key.starts_with(start));
    let protocol = text("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
    let (is_sasl, is_tls) = (protocol.starts_with("sasl_"), protocol.ends_with("ssl"));
    let mechanism = text("sasl.mechanisms").or(text("sasl.mechanism"));
    match (is_sasl, mechanism) {
        (true, mechanism) => report_mechanism(node, mechanism, settings, report),
        (false, Some(_)) => report.push(
            of(
                node,
                "sasl.mechanism",
                node.warning("config.no_effect", "sasl.* is not used without SASL"),
            )
            .repair("\"security.protocol\" = \"sasl_ssl\""),
        ),
        (false, None) => {}
    }
    if !is_tls && any("ssl.") {
        let what = format!("ssl.* is not used: security.protocol is {protocol}");
        let with = if is_sasl { "sasl_ssl" } else { "ssl" };
        let finding = of(node, "ssl.", node.warning("config.no_effect", what));
        report.push(finding.repair(format!("\"security.protocol\" = \"{with}\"")));
    }
    if protocol == "sasl_plaintext" && !is_near(&settings.brokers) {
        let what = "the login to Kafka, and every record, travel without encryption";
        let finding = of(node, "security.protocol", node.warning("config.tls", what));
        report.push(finding.repair("\"security.protocol\" = \"sasl_ssl\""));
    }
    let switches = [
        ("enable.ssl.certificate.verification", "false"),
        ("ssl.endpoint.identification.algorithm", "none"),
    ];
    for (key, off) in switches {
        if text(key) == Some(off) {
            let what = format!("{key} = {off} lets anybody answer in Kafka's place");
            let finding = of(node, key, node.warning("config.tls", what));
            report.push(finding.repair("take the line out, and name the authority: \"ssl.ca.location\" = \"….pem\""));
        }
    }
}

/// The finding at the property.
fn of(node: &Node<'_>, key: &str, finding: Finding) -> Finding {
    Finding {
        place: Some(node.part(key)),
        ..finding
    }
}

fn report_mechanism(node: &Node<'_>, mechanism: Option<&str>, settings: &Settings, report: &mut Report<'_>) {
    let one_of = format!("\"sasl.mechanisms\" = one of {}", MECHANISMS.join(", "));
    let Some(mechanism) = mechanism else {
        let what = "security.protocol asks for a login, and sasl.mechanisms does not say which";
        report.push(of(node, "security.protocol", node.error("config.value", what)).repair(one_of));
        return;
    };
    if !MECHANISMS.contains(&mechanism) {
        let what = format!("the way to log in to Kafka is not spoken: {mechanism}");
        report.push(of(node, mechanism, node.error("config.value", what)).repair(one_of));
        return;
    }
    if mechanism != "OAUTHBEARER" {
        return;
    }
    if settings
        .properties
        .iter()
        .any(|(key, _)| key.starts_with("sasl.oauthbearer."))
    {
        let what = "librdkafka's own ways to get a token are not built in: sasl.oauthbearer.* has no effect";
        let finding = of(node, "sasl.oauthbearer", node.error("config.refused", what));
        report.push(finding.repair("under [kafka]: oauth_token = { command = [\"print-token\"] }"));
    } else if settings.oauth_token.is_none() {
        let what = "OAUTHBEARER needs a token, and oauth_token of [kafka] does not say where it comes from";
        let finding = of(node, mechanism, node.error("config.value", what));
        report
            .push(finding.repair("under [kafka]: oauth_token = { command = [\"print-token\"] }, or { file = \"…\" }"));
    }
}

fn is_near(brokers: &str) -> bool {
    brokers.split(',').all(|broker| {
        let host = broker.trim().rsplit_once(':').map_or(broker, |(host, _)| host);
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    })
}
