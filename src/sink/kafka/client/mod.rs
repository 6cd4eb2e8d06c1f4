//! Properties of the Kafka clients, and what the producer's callbacks tell.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, NoCustomPartitioner, ProducerContext};

use crate::finding::{Cause, Finding};
use crate::secret::Secret;
use crate::sink::SinkError;
use crate::sink::kafka::settings::{Property, Settings};

pub(super) mod login;
pub(super) mod ours;
mod trouble;
mod words;

use crate::sink::kafka::client::trouble::Trouble;

/// Time-out of one request in ms; a commit is given up before it, so that librdkafka never sends it twice unseen.
const SOCKET_TIMEOUT_MS: u32 = 10_000;

/// The first wait between attempts to connect; it doubles. Half of it also passes before a new client's first request goes
/// out (`sparse_connect_intvl`): with the library's own 100 ms that is the longest part of a start.
const FIRST_BACKOFF_MS: &str = "20";

/// Least `message.timeout.ms`.
const MESSAGE_TIMEOUT_MIN_MS: u32 = 1_000;

/// A full request. Larger ones cost the broker less for each record; smaller ones let it work while the next is compressed.
const BATCH_BYTES: &str = "524288";

/// What a framed record may cost besides its bytes (headers, batch).
pub(super) const FRAME_BYTES_MAX: usize = 65_536;

/// Beginnings of the properties that any client takes; the others are for the producer.
const ANY_CLIENT: [&str; 18] = [
    "security.",
    "ssl.",
    "sasl.",
    "enable.ssl",
    "enable.sasl",
    "client.",
    "socket.",
    "broker.",
    "reconnect.",
    "retry.",
    "metadata.",
    "https.",
    "log",
    "connections.",
    "api.version.",
    "topic.metadata.",
    "receive.",
    "debug",
];

/// Name of the position topic of a bridge.
pub(super) fn position_topic(bridge: &str) -> String {
    format!("walbridge.{bridge}.position")
}

/// Properties of the producer. The user's come first; those that the promises rest on come last.
///
/// # Errors
/// A halt where a secret cannot be read.
pub(super) fn producer(settings: &Settings) -> Result<ClientConfig, SinkError> {
    let timeout = settings.transaction_timeout_ms;
    let message_timeout = (timeout.saturating_mul(3) / 4).max(MESSAGE_TIMEOUT_MIN_MS);
    let mut config = ClientConfig::new();
    config
        .set("compression.type", "lz4")
        // A request goes when it is full, and the rest when the producer's thread flushes, long before this time: once it is
        // over, librdkafka looks without a pause whether it may send.
        .set("linger.ms", (message_timeout / 10 * 9).to_string())
        .set("batch.size", BATCH_BYTES)
        .set("batch.num.messages", "100000")
        .set("client.id", format!("walbridge.{}", settings.name))
        .set("reconnect.backoff.ms", FIRST_BACKOFF_MS)
        // A broker that is back is found within a second (the library's own limit is ten).
        .set("reconnect.backoff.max.ms", "1000")
        // Below the server's 10 minutes, so that an idle connection ends between transactions and not under a commit.
        .set("connections.max.idle.ms", "240000");
    if settings.properties.iter().any(|(key, _)| key == "compression.codec") {
        config.remove("compression.type");
    }
    for (key, value) in &settings.properties {
        config.set(key, text(key, value)?);
    }
    let message_bytes = settings.record_bytes_max.saturating_add(FRAME_BYTES_MAX).max(1_000_000);
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("transactional.id", format!("walbridge.{}", settings.name))
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("transaction.timeout.ms", timeout.to_string())
        .set("message.timeout.ms", message_timeout.to_string())
        .set("socket.timeout.ms", SOCKET_TIMEOUT_MS.min(timeout).to_string())
        .set("message.max.bytes", message_bytes.to_string())
        .set(
            "queue.buffering.max.kbytes",
            (settings.queue_bytes_max / 1024).max(1_024).to_string(),
        )
        .set("queue.buffering.max.messages", "10000000")
        .set("statistics.interval.ms", "0")
        // Broken connections are told at once, also during a commit: see `Deliveries::disturbed`.
        .set("log.connection.close", "true")
        .set("log.queue", "false")
        // Set by hand: else the library asks the `log` crate, which is not in use, and says nothing.
        .set_log_level(RDKafkaLogLevel::Info);
    Ok(config)
}

/// A property's value as it is now.
fn text(key: &str, value: &Property) -> Result<String, SinkError> {
    let read = match value {
        Property::Text(text) => return Ok(text.clone()),
        Property::Secret(secret, shape) => secret.read_as(*shape),
    };
    read.map(|revealed| revealed.expose().to_owned()).map_err(|error| {
        let what = format!("cannot read {key} of kafka.properties: {error}");
        let finding = Finding::error(Cause::Surroundings, "kafka.secret_unreadable", what);
        SinkError::Halt(Box::new(finding.repair(error.repair())))
    })
}

/// Properties of clients that only read or describe.
pub(super) fn reader(settings: &Settings) -> Result<ClientConfig, SinkError> {
    let mut config = ClientConfig::new();
    config
        .set("client.id", format!("walbridge.{}", settings.name))
        .set("reconnect.backoff.ms", FIRST_BACKOFF_MS);
    for (key, value) in &settings.properties {
        if ANY_CLIENT.iter().any(|start| key.starts_with(start)) {
            config.set(key, text(key, value)?);
        }
    }
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("socket.timeout.ms", SOCKET_TIMEOUT_MS.to_string())
        .set("log.connection.close", "true")
        .set_log_level(RDKafkaLogLevel::Info);
    Ok(config)
}

/// A reader of the position topic.
pub(super) fn consumer(settings: &Settings, isolation: &str) -> Result<ClientConfig, SinkError> {
    let mut config = reader(settings)?;
    config
        .set("group.id", format!("walbridge.{}", settings.name))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        // What is fetched ahead is held uncompressed, many times as large; and by itself the library lets a second pass
        // before it fetches again what did not fit.
        .set("queued.max.messages.kbytes", "1024")
        .set("fetch.queue.backoff.ms", "2")
        .set("fetch.message.max.bytes", "262144")
        .set("fetch.wait.max.ms", "20")
        .set("isolation.level", isolation);
    Ok(config)
}

/// Passes librdkafka's own words on, and hands it tokens.
#[derive(Default)]
pub(super) struct Told {
    oauth_token: Option<Secret>,
    trouble: Trouble,
}

impl Told {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            oauth_token: settings.oauth_token.clone(),
            trouble: Trouble::of(&settings.brokers),
        }
    }

    /// Why connections fail.
    pub(super) fn trouble(&self) -> &Trouble {
        &self.trouble
    }
}

impl ClientContext for Told {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, words: &str) {
        self.trouble.hear(fac, words);
        words::line(level, fac, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        words::error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        login::token(self.oauth_token.as_ref())
    }
}

impl rdkafka::consumer::ConsumerContext for Told {}

/// Counts delivery reports, and keeps the first error.
#[derive(Default)]
pub(super) struct Deliveries {
    told: Told,
    acked: AtomicU64,
    failed: AtomicU64,
    disturbed: AtomicU64,
    first: Mutex<Option<(RDKafkaErrorCode, String)>>,
}

impl Deliveries {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            told: Told::of(settings),
            ..Self::default()
        }
    }

    /// Why connections fail.
    pub(super) fn trouble(&self) -> &Trouble {
        self.told.trouble()
    }

    /// Records the broker has acknowledged.
    pub(super) fn acked(&self) -> u64 {
        self.acked.load(Ordering::Acquire)
    }

    /// Records whose fate is known.
    pub(super) fn answered(&self) -> u64 {
        self.acked().saturating_add(self.failed.load(Ordering::Acquire))
    }

    /// Faults of connections and requests so far: one during a commit makes its outcome unknown, whatever the answer.
    pub(super) fn disturbed(&self) -> u64 {
        self.disturbed.load(Ordering::Acquire)
    }

    /// The first record that was not delivered: why, and to which topic.
    pub(super) fn first_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        if self.failed.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.first
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, words: &str) {
        // Called from librdkafka's own threads, so also while a commit waits. FAIL: a connection broke;
        // REQTMOUT: a request was not answered, and may be sent again.
        if fac == "FAIL" || fac == "REQTMOUT" {
            self.disturbed.fetch_add(1, Ordering::AcqRel);
        }
        self.told.log(level, fac, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.disturbed.fetch_add(1, Ordering::AcqRel);
        self.told.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.told.generate_oauth_token(config)
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.acked.fetch_add(1, Ordering::AcqRel);
            }
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                self.first
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .get_or_insert_with(|| (code, message.topic().to_owned()));
                self.failed.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
}
