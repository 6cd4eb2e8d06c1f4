//! The producer, and a way to hand it many records at once: a call for each record takes twice the time, for it looks the
//! topic up by name, asks for the time and takes three locks.

use std::ffi::CString;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_message_t, rd_kafka_produce_batch, rd_kafka_topic_destroy, rd_kafka_topic_new,
    rd_kafka_topic_t,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaRespErr;

use crate::sink::kafka::client::Deliveries;
use crate::sink::kafka::settings::Settings;

/// The producer with its topics.
pub(super) struct Outlet {
    /// Before the producer, for they must go before it (`rd_kafka_destroy` waits for them).
    topics: Vec<Option<Handle>>,
    producer: BaseProducer<Deliveries>,
}

impl Outlet {
    /// Of the written topics, in their order.
    pub(super) fn new(producer: BaseProducer<Deliveries>, settings: &Settings) -> Self {
        let written = settings.written.iter();
        Self {
            topics: written.map(|topic| Handle::new(&producer, &topic.name)).collect(),
            producer,
        }
    }

    /// Hands records over in their order; they are copied.
    ///
    /// # Errors
    /// How many were taken before the first that was not, and why that one was not.
    pub(super) fn send_all(&self, (topic, partition): Goal, records: &mut [Ready<'_>]) -> Result<(), (usize, Code)> {
        let Some(Some(handle)) = self.topics.get(topic) else {
            return Err((0, Code::UnknownTopic));
        };
        let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
        let first = records.as_mut_ptr().cast();
        #[expect(
            unsafe_code,
            reason = "the wrapper has no call for many records; the topic is live for as long as it is borrowed, `Ready` is \
                      the library's own struct, whose bytes it borrows, and they are copied within the call"
        )]
        let taken = unsafe { rd_kafka_produce_batch(handle.0.as_ptr(), partition, RD_KAFKA_MSG_F_COPY, first, count) };
        if taken == count {
            return Ok(());
        }
        let refused = |ready: &Ready<'_>| ready.0.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        let index = records.iter().position(refused).unwrap_or(0);
        let code = records.get(index).map_or(Code::Fail, |ready| ready.0.err.into());
        Err((index, code))
    }
}

impl Deref for Outlet {
    type Target = BaseProducer<Deliveries>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

/// Number of a topic, and of a partition of it.
pub(super) type Goal = (usize, i32);

/// A record, ready to be handed over.
#[repr(transparent)]
pub(super) struct Ready<'a>(rd_kafka_message_t, PhantomData<&'a [u8]>);

impl<'a> Ready<'a> {
    pub(super) fn new(key: &'a [u8], value: &'a [u8]) -> Self {
        let message = rd_kafka_message_t {
            err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: ptr::null_mut(),
            partition: 0,
            payload: value.as_ptr().cast_mut().cast(),
            len: value.len(),
            key: key.as_ptr().cast_mut().cast(),
            key_len: key.len(),
            offset: 0,
            _private: ptr::null_mut(),
        };
        Self(message, PhantomData)
    }
}

/// The library's topic.
struct Handle(NonNull<rd_kafka_topic_t>);

impl Handle {
    fn new(producer: &BaseProducer<Deliveries>, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        let client = producer.client().native_ptr();
        #[expect(
            unsafe_code,
            reason = "the wrapper keeps its topics to itself; the client is live while the producer is borrowed, and the name \
                      is copied"
        )]
        let topic = unsafe { rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut()) };
        NonNull::new(topic).map(Self)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "it is ours, and its producer goes after it")]
        unsafe {
            rd_kafka_topic_destroy(self.0.as_ptr());
        }
    }
}
