//! Every way to log in to Kafka, right and wrong, with what is said, at a broker that denies what is not granted.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use walbridge::finding::Finding;
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::flow::record::Records;
use walbridge::secret::{Secret, Shape};
use walbridge::sink::kafka::settings::{Property, Settings};
use walbridge::sink::kafka::{self, Kafka};
use walbridge::sink::{Sink as _, SinkError};

use crate::secure::broker::Broker;
use crate::world::{begin, put, seen, settings, settled};

mod broker;

fn text(value: &str) -> Property {
    Property::Text(value.to_owned())
}

/// A bridge of its own at the listener with logins.
fn by_login(broker: &Broker, name: &str, mechanism: &str) -> Settings {
    let mut out = settings(name, format!("localhost:{}", broker.login));
    let password = broker.file("password");
    std::fs::write(&password, "hunter2\n").unwrap();
    out.properties = vec![
        ("security.protocol".to_owned(), text("sasl_ssl")),
        (
            "ssl.ca.location".to_owned(),
            text(broker.file("ca.pem").to_str().unwrap()),
        ),
        ("sasl.mechanisms".to_owned(), text(mechanism)),
    ];
    if mechanism != "OAUTHBEARER" {
        out.properties.push(("sasl.username".to_owned(), text("bridge")));
        out.properties.push((
            "sasl.password".to_owned(),
            Property::Secret(Secret::File(password), Shape::OneLine),
        ));
    }
    out
}

/// A bridge of its own at the listener that wants a certificate.
fn by_certificate(broker: &Broker, name: &str, certificate: Option<&str>) -> Settings {
    let mut out = settings(name, format!("localhost:{}", broker.mutual));
    let path = |name: &str| text(broker.file(name).to_str().unwrap());
    out.properties = vec![
        ("security.protocol".to_owned(), text("ssl")),
        ("ssl.ca.location".to_owned(), path("ca.pem")),
    ];
    if let Some(certificate) = certificate {
        out.properties.push((
            "ssl.certificate.location".to_owned(),
            path(&format!("{certificate}.pem")),
        ));
        out.properties
            .push(("ssl.key.location".to_owned(), path(&format!("{certificate}.key"))));
    }
    out
}

/// A program that prints an unsigned web token, good for `seconds` from now.
fn token(file: &Path, seconds: u64) -> Secret {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let (head, until) = (part(r#"{"alg":"none"}"#.to_owned()), now + seconds);
    let claims = part(format!(r#"{{"sub":"bridge","iat":{now},"exp":{until}}}"#));
    std::fs::write(file, format!("{head}.{claims}.")).unwrap();
    Secret::Command(vec!["cat".to_owned(), file.display().to_string()])
}

/// A record, and a position behind the last one.
fn publish(sink: &mut Kafka, at: &mut Checkpoint) -> Result<(), SinkError> {
    let mut records = Records::default();
    put(&mut records, "A", Some("{}"), 2);
    sink.append(records)?;
    at.advance(Lsn(at.commit_end_lsn.0 + 1)).unwrap();
    sink.commit(at)?;
    settled(sink).map(|_| ())
}

/// A record goes out and is seen.
fn flows(broker: &Broker, settings: &Settings) {
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap_or_else(|error| panic!("{}: {error:?}", settings.name));
    publish(&mut sink, &mut at).unwrap();
    assert_eq!(kafka::read_position(settings).unwrap().unwrap(), at);
    let near = Settings {
        brokers: broker.local(),
        ..settings.clone()
    };
    assert_eq!(seen(&near).len(), 1, "{}", settings.name);
    assert_eq!(kafka::preflight(settings), []);
}

/// What `check` and a start say of it.
fn said(settings: &Settings, (code, words): (&str, &str)) {
    let checked = kafka::preflight(settings);
    let has = |finding: &Finding| {
        let why = finding.why.as_deref().unwrap_or_default();
        finding.code == code && (why.contains(words) || finding.what.contains(words)) && finding.repair.is_some()
    };
    assert!(checked.iter().any(has), "{code}: {checked:#?}");
    let started = Kafka::new(settings.clone(), "one".to_owned()).map(|mut sink| sink.recover().map(|_| ()));
    match started {
        Ok(Err(SinkError::Halt(finding))) | Err(SinkError::Halt(finding)) => assert!(has(&finding), "{finding}"),
        other => panic!("{code}: {other:?}"),
    }
}

fn set(settings: &Settings, key: &str, value: &str) -> Settings {
    let mut out = settings.clone();
    out.properties.retain(|(name, _)| name != key);
    out.properties.push((key.to_owned(), text(value)));
    out
}

#[test]
fn every_way_to_log_in_is_spoken_and_every_wrong_one_named() {
    let Some(broker) = Broker::new() else { return };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
        let name = format!("login_{}", mechanism.to_ascii_lowercase().replace('-', "_"));
        broker.grant("User:bridge", &name, "");
        let mut settings = by_login(&broker, &name, mechanism);
        settings.oauth_token = (mechanism == "OAUTHBEARER").then(|| token(&broker.file("token"), 600));
        flows(&broker, &settings);
    }
    let scram = by_login(&broker, "login_wrong", "SCRAM-SHA-512");
    said(
        &set(&scram, "sasl.password", "hunter3"),
        ("kafka.login_refused", "invalid credentials"),
    );
    said(
        &set(&scram, "sasl.username", "nobody"),
        ("kafka.login_refused", "invalid credentials"),
    );
    let stranger = broker.file("stranger.pem");
    let stranger = set(&scram, "ssl.ca.location", stranger.to_str().unwrap());
    said(&stranger, ("kafka.certificate", "certificate"));
    let elsewhere = Settings {
        brokers: format!("127.0.0.1:{}", broker.login),
        ..scram.clone()
    };
    said(&elsewhere, ("kafka.certificate", "certificate"));
    let plain = Settings {
        brokers: broker.local(),
        ..scram.clone()
    };
    // A broker that goes away looks the same, so a start would try again.
    let checked = kafka::preflight(&plain);
    assert_eq!(checked[0].code, "kafka.unreachable");
    assert!(
        checked[0].why.as_ref().unwrap().contains("SSL_HANDSHAKE"),
        "{checked:#?}"
    );
    let mut expired = by_login(&broker, "login_expired", "OAUTHBEARER");
    expired.oauth_token = Some(token(&broker.file("old"), 0));
    said(&expired, ("kafka.token", "oauth_token"));
}

#[test]
fn a_certificate_logs_in_and_only_with_one() {
    let Some(broker) = Broker::new() else { return };
    broker.grant("User:CN=client", "mutual", "");
    flows(&broker, &by_certificate(&broker, "mutual", Some("client")));
    said(
        &by_certificate(&broker, "mutual_none", None),
        ("kafka.client_certificate", "certificate"),
    );
    said(
        &by_certificate(&broker, "mutual_wrong", Some("unknown")),
        ("kafka.client_certificate", "certificate"),
    );
}

#[test]
fn what_is_not_granted_is_named_and_what_is_taken_away_halts() {
    let Some(broker) = Broker::new() else { return };
    let settings = by_login(&broker, "granted", "SCRAM-SHA-512");
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    crate::world::halted(begin(&mut sink), "kafka.transactional_id_denied");
    broker.grant("User:bridge", "granted", "");
    flows(&broker, &settings);
    let mut running = Kafka::new(settings.clone(), "two".to_owned()).unwrap();
    let mut at = begin(&mut running).unwrap();
    broker.deny_transactions("User:bridge", "granted");
    let before = at.clone();
    let ended = publish(&mut running, &mut at);
    crate::world::halted(ended, "kafka.transactional_id_denied");
    let mut sink = Kafka::new(settings.clone(), "three".to_owned()).unwrap();
    crate::world::halted(begin(&mut sink), "kafka.transactional_id_denied");
    // Nothing came to be while it was so.
    broker.grant("User:bridge", "granted", "");
    let mut sink = Kafka::new(settings.clone(), "four".to_owned()).unwrap();
    assert_eq!(begin(&mut sink).unwrap().commit_end_lsn, before.commit_end_lsn);
    publish(&mut sink, &mut at).unwrap();
    broker.deny_topics("User:bridge", "granted");
    let refused = (0..1_000)
        .find_map(|_| publish(&mut sink, &mut at).err())
        .expect("it is refused");
    let what = crate::world::halted::<()>(Err(refused), "kafka.topic_denied");
    assert!(what.contains(" granted."), "a topic is named: {what}");
    // The script takes away all that it gives.
    broker.grant("User:bridge", "granted", "1");
    broker.await_without("User:bridge", "walbridge.granted");
    let mut sink = Kafka::new(settings.clone(), "five".to_owned()).unwrap();
    crate::world::halted(begin(&mut sink), "kafka.transactional_id_denied");
}

#[test]
fn certificates_that_are_replaced_are_read_anew() {
    let Some(mut broker) = Broker::new() else { return };
    broker.grant("User:CN=client", "replaced", "");
    let settings = by_certificate(&broker, "replaced", Some("client"));
    let mut running = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut running).unwrap();
    publish(&mut running, &mut at).unwrap();
    broker.replace_certificates();
    let error = loop {
        if let Err(error) = publish(&mut running, &mut at) {
            break error;
        }
    };
    assert!(!matches!(error, SinkError::Halt(_)), "{error:?}");
    drop(running);
    let mut next = Kafka::new(settings, "two".to_owned()).unwrap();
    let mut at = begin(&mut next).unwrap();
    publish(&mut next, &mut at).unwrap();
}
