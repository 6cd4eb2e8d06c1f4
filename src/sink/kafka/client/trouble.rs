//! Why no connection to a broker comes about. librdkafka goes on trying whatever the reason is, and tells it in its log
//! only: from there it is taken, and what no further try can heal is named with its repair.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;

/// What was heard last.
#[derive(Debug, Default)]
pub(in crate::sink::kafka) struct Trouble {
    /// How many brokers are named to begin with.
    named: usize,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// By the broker's address.
    by_broker: BTreeMap<String, String>,
    last: String,
}

impl Heard {
    /// What no further try can heal.
    fn certain(&self) -> Option<Finding> {
        self.by_broker.values().find_map(|words| finding(words))
    }
}

/// Words of librdkafka's log that mean one thing only, the name of the finding, what is wrong, and its repair.
const CERTAIN: [(&str, &str, &str, &str); 9] = [
    (
        "Invalid response size",
        "kafka.not_kafka",
        "what listens at the address does not speak Kafka's protocol, or not as it was asked",
        "the port of a Kafka listener in kafka.brokers; where that listener speaks TLS, \"security.protocol\" = \"ssl\" (or \
         \"sasl_ssl\") in [kafka.properties]",
    ),
    (
        "invalid credentials",
        "kafka.login_refused",
        "Kafka refuses the login",
        "correct sasl.username and sasl.password in [kafka.properties]; a user is made with kafka-configs --alter \
         --entity-type users --entity-name NAME --add-config 'SCRAM-SHA-512=[password=…]'",
    ),
    (
        "SASL authentication error",
        "kafka.login_refused",
        "Kafka refuses the login",
        "correct sasl.* in [kafka.properties]",
    ),
    (
        "Unsupported SASL mechanism",
        "kafka.mechanism_refused",
        "Kafka does not speak this way to log in",
        "one of the broker's mechanisms as sasl.mechanisms in [kafka.properties]",
    ),
    (
        "mechanism handshake failed",
        "kafka.mechanism_refused",
        "Kafka does not speak this way to log in",
        "one of the broker's mechanisms as sasl.mechanisms in [kafka.properties]; where it speaks no SASL there, the port \
         of another listener in kafka.brokers",
    ),
    (
        "certificate could not be verified",
        "kafka.certificate",
        "cannot believe the certificate of Kafka",
        "an unknown authority: its PEM file as ssl.ca.location in [kafka.properties]; another name: brokers (and their \
         advertised.listeners) as the certificate names them; out of its time: a new one. Which of them it is says: \
         openssl s_client -connect HOST:PORT -CAfile CA.pem -verify_hostname HOST",
    ),
    (
        "bad certificate",
        "kafka.client_certificate",
        "Kafka refuses our certificate",
        "ssl.certificate.location and ssl.key.location in [kafka.properties]: a certificate that the broker's \
         ssl.truststore knows",
    ),
    (
        "certificate required",
        "kafka.client_certificate",
        "Kafka wants a certificate of ours",
        "ssl.certificate.location and ssl.key.location in [kafka.properties]",
    ),
    (
        "unknown ca",
        "kafka.client_certificate",
        "Kafka refuses our certificate",
        "ssl.certificate.location and ssl.key.location in [kafka.properties]: a certificate that the broker's \
         ssl.truststore knows",
    ),
];

impl Trouble {
    /// With the list of brokers that a client begins with.
    pub(in crate::sink::kafka) fn of(brokers: &str) -> Self {
        Self {
            named: brokers.split(',').count(),
            heard: Mutex::default(),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to a line of the log: only those of broken connections say why.
    pub(in crate::sink::kafka) fn hear(&self, facility: &str, words: &str) {
        if facility != "FAIL" {
            return;
        }
        let words = without_place(words);
        // ssl://HOST:PORT/ID: the id is another once the broker is known.
        let broker = words.split_once(": ").map_or("", |(broker, _)| broker);
        let broker = broker.rsplit_once('/').map_or(broker, |(address, _)| address);
        let mut heard = self.heard();
        heard.last = words.to_owned();
        heard.by_broker.insert(broker.to_owned(), words.to_owned());
    }

    /// Whether no further try can help: as long as a broker may still answer, the trouble of another is not ours.
    ///
    /// # Errors
    /// A halt where that is so.
    pub(in crate::sink::kafka) fn is_certain(&self) -> Result<(), SinkError> {
        let heard = self.heard();
        match heard.certain() {
            Some(finding) if heard.by_broker.len() >= self.named => Err(SinkError::Halt(Box::new(finding))),
            _ => Ok(()),
        }
    }

    /// The error, when the time for it is over, with what is known of its reason: a halt where no further try can heal it.
    pub(in crate::sink::kafka) fn explain(&self, error: SinkError) -> SinkError {
        let SinkError::Transient(why) = error else {
            return error;
        };
        let heard = self.heard();
        match heard.certain() {
            Some(finding) => SinkError::Halt(Box::new(finding)),
            None if heard.last.is_empty() => SinkError::Transient(why),
            None => SinkError::Transient(format!("{why}: {}", heard.last)),
        }
    }
}

/// The line without the thread's name that it begins with.
fn without_place(words: &str) -> &str {
    let rest = words.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: "));
    rest.map_or(words, |(_, rest)| rest)
}

/// Words of a connection that broke meanwhile, whatever it was about: a broker that goes away in the middle of a login.
const BROKEN: [&str; 3] = ["Local: ", "Disconnected", "SaslAuthenticateRequest failed"];

fn finding(words: &str) -> Option<Finding> {
    if BROKEN.iter().any(|sign| words.contains(sign)) {
        return None;
    }
    let (_, code, what, repair) = CERTAIN.iter().find(|(sign, ..)| words.contains(sign))?;
    Some(
        Finding::error(Cause::Surroundings, code, *what)
            .because(words)
            .repair(*repair),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &str) -> Option<&'static str> {
        finding(words).map(|finding| finding.code)
    }

    #[test]
    fn what_no_further_try_can_heal_is_told_from_a_broker_that_goes_away() {
        let refused =
            "SASL authentication error: Authentication failed during authentication due to invalid credentials";
        assert_eq!(code(refused), Some("kafka.login_refused"));
        let handshake = "SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: ";
        assert_eq!(code(handshake), Some("kafka.mechanism_refused"));
        for away in [
            "SASL authentication error: SaslAuthenticateRequest failed: Local: Broker transport failure",
            "SASL PLAIN mechanism handshake failed: Local: Broker transport failure: broker's supported mechanisms: (n/a)",
            "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
            "Connect to ipv4#127.0.0.1:9092 failed: Connection refused",
        ] {
            assert_eq!(code(away), None, "{away}");
        }
    }

    #[test]
    fn the_reason_goes_with_the_error_and_the_place_of_it_does_not() {
        let trouble = Trouble::of("b:1");
        let plain = || SinkError::Transient("no answer".to_owned());
        assert_eq!(trouble.explain(plain()).to_string(), "no answer");
        trouble.hear(
            "FAIL",
            "[thrd:ssl://b:1/bootstrap]: ssl://b:1/bootstrap: Connection refused",
        );
        let told = trouble.explain(plain()).to_string();
        assert_eq!(told, "no answer: ssl://b:1/bootstrap: Connection refused");
        trouble.hear("FAIL", "invalid credentials");
        assert!(matches!(trouble.explain(plain()), SinkError::Halt(_)));
        assert!(matches!(trouble.is_certain(), Err(SinkError::Halt(_))));
    }
    #[test]
    fn one_broker_that_keeps_us_out_ends_nothing_while_another_may_answer() {
        let trouble = Trouble::of("a:1,b:1");
        let refused =
            "[thrd:ssl://a:1/bootstrap]: ssl://a:1/bootstrap: SSL handshake failed: certificate could not be verified";
        trouble.hear("FAIL", refused);
        trouble.hear("FAIL", refused);
        assert!(trouble.is_certain().is_ok());
        trouble.hear(
            "FAIL",
            "[thrd:ssl://b:1/bootstrap]: ssl://b:1/bootstrap: Connection refused",
        );
        assert!(matches!(trouble.is_certain(), Err(SinkError::Halt(_))));
        let late = trouble.explain(SinkError::Transient("no answer".to_owned()));
        assert!(late.to_string().contains("certificate"), "{late}");
    }
}
