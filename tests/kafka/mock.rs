//! Every kind of broker error against librdkafka's own mock cluster: needs no Kafka.

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Answer};

use walbridge::flow::position::Lsn;
use walbridge::flow::record::Records;
use walbridge::sink::kafka::Kafka;
use walbridge::sink::kafka::settings::Settings;
use walbridge::sink::{Sink, SinkError};

use crate::world::{PARTITIONS, begin, put, settings, settled};

fn mock(settings: &mut Settings) -> MockCluster<'static, DefaultProducerContext> {
    let mock = MockCluster::new(1).unwrap();
    settings.brokers = mock.bootstrap_servers();
    mock.create_topic(&settings.written[0].name, PARTITIONS, 1).unwrap();
    mock.create_topic(&format!("walbridge.{}.position", settings.name), 1, 1)
        .unwrap();
    mock
}

/// What becomes of one transaction when the broker answers so, once.
fn fate(
    mock: &MockCluster<'_, DefaultProducerContext>,
    settings: &Settings,
    api: Api,
    answer: Answer,
) -> Option<&'static str> {
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap();
    mock.request_errors(api, &[answer]);
    let mut records = Records::default();
    put(&mut records, "A", Some("{}"), 2);
    at.advance(Lsn(at.commit_end_lsn.0 + 1)).unwrap();
    let told = sink
        .append(records)
        .and_then(|_| sink.commit(&at))
        .and_then(|()| settled(&mut sink));
    if let Err(error) = &told {
        println!("{api:?} {:?}: {error}", RDKafkaErrorCode::from(answer));
    }
    mock.clear_request_errors(api);
    told.err().map(|error| match error {
        SinkError::Transient(_) => "transient",
        SinkError::Overrun(_) => "overrun",
        SinkError::Halt(_) => "halt",
        SinkError::Fenced { .. } => "fenced",
    })
}

#[test]
fn each_answer_of_a_broker_has_its_fate() {
    let mut settings = settings("mock", String::new());
    let mock = mock(&mut settings);
    for (api, answer, wanted) in [
        (
            Api::AddPartitionsToTxn,
            Answer::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS,
            None,
        ),
        (
            Api::AddPartitionsToTxn,
            Answer::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
            Some("transient"),
        ),
        (
            Api::AddPartitionsToTxn,
            Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
            Some("transient"),
        ),
        (
            Api::AddPartitionsToTxn,
            Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            Some("halt"),
        ),
        (
            Api::AddPartitionsToTxn,
            Answer::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Some("halt"),
        ),
        (Api::Produce, Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, None),
        (Api::Produce, Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, Some("halt")),
        (
            Api::Produce,
            Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            Some("halt"),
        ),
        (Api::Produce, Answer::RD_KAFKA_RESP_ERR_INVALID_RECORD, Some("halt")),
        (
            Api::Produce,
            Answer::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
            Some("transient"),
        ),
        (Api::EndTxn, Answer::RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, None),
        (Api::EndTxn, Answer::RD_KAFKA_RESP_ERR__TRANSPORT, Some("transient")),
        (
            Api::EndTxn,
            Answer::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
            Some("transient"),
        ),
        (
            Api::EndTxn,
            Answer::RD_KAFKA_RESP_ERR_INVALID_TXN_STATE,
            Some("transient"),
        ),
        (
            Api::EndTxn,
            Answer::RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
            Some("transient"),
        ),
        (
            Api::EndTxn,
            Answer::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Some("halt"),
        ),
    ] {
        assert_eq!(fate(&mock, &settings, api, answer), wanted, "{api:?} {answer:?}");
    }
}
