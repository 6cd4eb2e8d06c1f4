//! Why no connection to a broker comes about. librdkafka goes on trying whatever the reason is, and tells it in its log
//! only: from there it is taken, and what no further try can heal is named with its repair.

use std::sync::{Mutex, PoisonError};

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;

/// What was heard last.
#[derive(Debug, Default)]
pub(in crate::sink::kafka) struct Trouble(Mutex<Option<String>>);

/// Words of librdkafka's log that mean one thing only, the name of the finding, what is wrong, and its repair.
const CERTAIN: [(&str, &str, &str, &str); 8] = [
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
    /// Listens to a line of the log: only those of broken connections say why.
    pub(in crate::sink::kafka) fn hear(&self, facility: &str, words: &str) {
        if facility == "FAIL" {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(without_place(words).to_owned());
        }
    }

    /// Whether no further try can help.
    ///
    /// # Errors
    /// A halt where that is so.
    pub(in crate::sink::kafka) fn is_certain(&self) -> Result<(), SinkError> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .as_deref()
            .and_then(finding)
            .map_or(Ok(()), |finding| Err(SinkError::Halt(Box::new(finding))))
    }

    /// The error with what is known of its reason: a halt where no further try can heal it.
    pub(in crate::sink::kafka) fn explain(&self, error: SinkError) -> SinkError {
        let SinkError::Transient(why) = error else {
            return error;
        };
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            None => SinkError::Transient(why),
            Some(words) => match finding(words) {
                Some(finding) => SinkError::Halt(Box::new(finding)),
                None => SinkError::Transient(format!("{why}: {words}")),
            },
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
        let trouble = Trouble::default();
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
}
