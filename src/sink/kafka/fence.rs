//! A transactional producer: first it reaches a broker, and is nobody yet; then it is the only one of its name.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::sink::SinkError;
use crate::sink::kafka::client::{self, Deliveries, login};
use crate::sink::kafka::errors::{Call, from_kafka};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::shared::Stop;

/// How long each of the two may take.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// A step of it: how soon a stop is noticed.
const STEP: Duration = Duration::from_millis(500);

/// A producer that a broker has answered. Without a connection librdkafka looks again for one to ask for its id only after
/// 500 ms (`rd_kafka_idemp_pid_timer_restart`).
pub(super) fn connect(
    settings: &Settings,
    stop: &Stop,
    patience: Duration,
) -> Result<BaseProducer<Deliveries>, SinkError> {
    let fault = |error| from_kafka(Call::Client, &error, &settings.brokers);
    let producer: BaseProducer<Deliveries> = client::producer(settings)?
        .create_with_context(Deliveries::of(settings))
        .map_err(fault)?;
    login::give(producer.client().native_ptr(), settings.oauth_token.as_ref())?;
    let begun = Instant::now();
    while producer.client().fetch_cluster_id(STEP).is_none() {
        stop.check()?;
        producer.poll(Duration::ZERO);
        let trouble = producer.context().trouble();
        trouble.is_certain()?;
        if begun.elapsed() > patience {
            let away = SinkError::Transient(format!("no broker of {} answers", settings.brokers));
            return Err(trouble.explain(away));
        }
    }
    Ok(producer)
}

/// Throws every other producer of this name out.
pub(super) fn fence(producer: &BaseProducer<Deliveries>, settings: &Settings, stop: &Stop) -> Result<(), SinkError> {
    init(producer, settings, stop).map_err(|error| {
        producer.poll(Duration::ZERO);
        producer.context().trouble().explain(error)
    })
}

fn init(producer: &BaseProducer<Deliveries>, settings: &Settings, stop: &Stop) -> Result<(), SinkError> {
    let begun = Instant::now();
    loop {
        stop.check()?;
        match producer.init_transactions(STEP) {
            Ok(()) => return Ok(()),
            // Also while the coordinator starts: the same call goes on.
            Err(KafkaError::Transaction(error)) if error.is_retriable() && begun.elapsed() < WAIT_MAX => {
                producer.poll(Duration::ZERO);
                producer.context().trouble().is_certain()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => {
                let name = format!("walbridge.{}", settings.name);
                return Err(from_kafka(Call::Init, &error, &name));
            }
        }
    }
}
