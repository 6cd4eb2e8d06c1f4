//! Hands a buffer of records to librdkafka, and waits while it has enough.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};

use crate::encoding::headers;
use crate::flow::record::{Partition, RecordSpan, Records};
use crate::sink::SinkError;
use crate::sink::kafka::errors::Call;
use crate::sink::kafka::partition::partition;
use crate::sink::kafka::producer::flush::QUIET;
use crate::sink::kafka::producer::outlet::{Goal, Ready};
use crate::sink::kafka::producer::{Over, Worker};
use crate::sink::kafka::settings::Settings;

/// Buffers that librdkafka has and that are not answered. It sends nothing to a partition in which 5 records wait for an answer,
/// then up to 5 requests at once (`rd_kafka_toppar_producer_serve`): with so many, each of a few partitions has a full
/// request ready when its answer comes.
const BUFFERS_MAX: usize = 8;

/// Records handed over between two looks at delivery reports.
const POLL_EVERY: usize = 1_024;

/// How often an answer is looked for while there is enough to do: each look wakes this thread, on a core that others want.
const ANSWER: Duration = Duration::from_micros(300);

/// How long a full queue is waited for before it is tried again.
const FULL: Duration = Duration::from_micros(500);

impl Worker {
    pub(super) fn append(&mut self, records: &Records) -> Result<(), Over> {
        self.take_turns()?;
        self.begin()?;
        for some in records.spans.chunks(POLL_EVERY) {
            // A tombstone has headers, which only a call for one record takes; in its partition it keeps its place.
            for part in some.chunk_by(|one, next| one.value.is_some() && next.value.is_some()) {
                match part {
                    [tombstone] if tombstone.value.is_none() => self.produce_tombstone(records, tombstone)?,
                    valued => self.produce(records, valued)?,
                }
            }
            self.serve_reports()?;
        }
        self.buffers.push_back(self.sent);
        Ok(())
    }

    /// Waits until few enough buffers are unanswered.
    fn take_turns(&mut self) -> Result<(), Over> {
        loop {
            let answered = self.producer.context().answered();
            while self.buffers.front().is_some_and(|end| answered >= *end) {
                self.buffers.pop_front();
            }
            self.send_on(QUIET);
            if self.buffers.len() < BUFFERS_MAX {
                return Ok(());
            }
            self.breathe(ANSWER)?;
        }
    }

    /// Hands records with values over: with one call for each partition, in which they keep their order.
    fn produce(&mut self, records: &Records, spans: &[RecordSpan]) -> Result<(), Over> {
        let goals = spans.iter().map(|span| Ok((self.goal(records, span)?, span)));
        let mut goals = goals.collect::<Result<Vec<_>, SinkError>>()?;
        goals.sort_by_key(|(goal, _)| *goal);
        for group in goals.chunk_by(|one, next| one.0 == next.0) {
            let ready = |(_, span): &(Goal, &RecordSpan)| {
                let value = span.value.as_ref().map(|value| records.part(value));
                Ready::new(records.part(&span.key), value.unwrap_or_default())
            };
            let mut ready: Vec<Ready<'_>> = group.iter().map(ready).collect();
            if let Some((goal, _)) = group.first() {
                self.send_all(*goal, &mut ready)?;
                self.meet(*goal);
            }
        }
        Ok(())
    }

    /// Hands records to librdkafka, and waits while its queue is full.
    fn send_all(&mut self, goal: Goal, mut records: &mut [Ready<'_>]) -> Result<(), Over> {
        loop {
            let refused = self.producer.send_all(goal, records).err();
            let taken = refused.map_or(records.len(), |(taken, _)| taken);
            self.sent = self.sent.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
            match refused {
                None => return Ok(()),
                Some((_, Code::QueueFull)) => {
                    records = records.get_mut(taken..).unwrap_or_default();
                    self.make_room()?;
                }
                Some((_, code)) => {
                    let (error, topic) = (KafkaError::MessageProduction(code), name(&self.settings, goal.0));
                    return Err(self.judge_of(Call::Produce, &error, topic).into());
                }
            }
        }
    }

    fn produce_tombstone(&mut self, records: &Records, span: &RecordSpan) -> Result<(), Over> {
        let goal = self.goal(records, span)?;
        let id = span.position.text();
        let told = headers(&id, (records, span), &self.settings.kinds);
        let all = OwnedHeaders::new_with_capacity(told.len());
        let all = told
            .into_iter()
            .fold(all, |all, (key, said)| all.insert(Header { key, value: Some(said) }));
        let settings = Arc::clone(&self.settings);
        let record = BaseRecord::<[u8], [u8]>::to(name(&settings, goal.0)).partition(goal.1);
        self.send(record.key(records.part(&span.key)).headers(all))?;
        self.meet(goal);
        Ok(())
    }

    /// Hands one record to librdkafka, and waits while its queue is full.
    pub(super) fn send(&mut self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Over> {
        loop {
            match self.producer.send(record) {
                Ok(()) => {
                    self.sent = self.sent.saturating_add(1);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(Code::QueueFull), again)) => {
                    record = again;
                    self.make_room()?;
                }
                Err((error, refused)) => return Err(self.judge_of(Call::Produce, &error, refused.topic).into()),
            }
        }
    }

    /// Gives a full queue time to be sent.
    fn make_room(&mut self) -> Result<(), Over> {
        self.send_on(QUIET);
        self.breathe(FULL)
    }

    /// Where a record goes.
    fn goal(&self, records: &Records, span: &RecordSpan) -> Result<Goal, SinkError> {
        let topic = usize::from(span.topic.0);
        let count = self.partitions.get(topic).copied().unwrap_or(0);
        let found = match &span.partition {
            Partition::Of(bytes) => partition(records.part(bytes), count),
            Partition::Number(number) => (0..count).contains(number).then_some(*number),
        };
        found
            .map(|partition| (topic, partition))
            .ok_or_else(|| SinkError::Transient(format!("topic {} has no partitions", name(&self.settings, topic))))
    }

    /// Records went to this partition.
    fn meet(&mut self, goal: Goal) {
        if self.met.insert(goal) {
            self.meet_new_partition();
        }
    }

    /// The last record goes to a partition that the transaction had not.
    pub(super) fn meet_new_partition(&mut self) {
        let answered = self.producer.context().answered();
        self.flushes.meet_new_partition((answered, self.sent));
    }
}

/// Name of a topic, by its number.
fn name(settings: &Settings, topic: usize) -> &str {
    settings.written.get(topic).map_or("", |topic| topic.name.as_str())
}
