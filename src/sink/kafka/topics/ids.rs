//! Ids of topics: one that is made again has another.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
use rdkafka::bindings::{
    RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT, rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
    rd_kafka_AdminOptions_set_broker, rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_name,
    rd_kafka_TopicDescription_t, rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t,
    rd_kafka_event_type, rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaRespErr;

use crate::sink::SinkError;
use crate::sink::kafka::errors::{Call, from_code};

/// What a broker that knows of no ids answers (before Metadata version 10, KIP-516), in base 64.
const UNKNOWN: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Ids of those topics that are there and have one, in the base 64 that Kafka's own tools show. Asking makes no topic. The
/// `broker` is named, since by itself the library waits for a controller, which not every cluster shows.
///
/// # Errors
/// See [`SinkError`]; transient where no answer came within `longest`.
pub(super) fn ids<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    names: &[&str],
    longest: Duration,
) -> Result<BTreeMap<String, String>, SinkError> {
    let Some(event) = ask(client, broker, names, longest) else {
        return Err(SinkError::Transient(
            "cannot learn the ids of topics: no answer".to_owned(),
        ));
    };
    event
        .read()
        .map_err(|code| from_code(Call::Topics, code.into(), &names.join(", ")))
}

#[expect(
    unsafe_code,
    reason = "the wrapper has no call for it; the client is live while it is borrowed, the names are copied, and what is made \
              here is destroyed here: an answer that comes later finds its queue closed"
)]
fn ask<C: ClientContext>(client: &Client<C>, broker: i32, names: &[&str], longest: Duration) -> Option<Event> {
    let names: Vec<CString> = names.iter().filter_map(|name| CString::new(*name).ok()).collect();
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let ms = i32::try_from(longest.as_millis()).unwrap_or(i32::MAX);
    unsafe {
        let queue = rd_kafka_queue_new(client.native_ptr());
        let asked = rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = rd_kafka_AdminOptions_new(client.native_ptr(), RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
        // A number that is none leaves the choice to the library.
        rd_kafka_AdminOptions_set_broker(options, broker, std::ptr::null_mut(), 0);
        rd_kafka_DescribeTopics(client.native_ptr(), asked, options, queue);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_TopicCollection_destroy(asked);
        let event = rd_kafka_queue_poll(queue, ms);
        rd_kafka_queue_destroy(queue);
        NonNull::new(event).map(Event)
    }
}

/// An answer.
struct Event(NonNull<rd_kafka_event_t>);

impl Event {
    #[expect(
        unsafe_code,
        reason = "the event is ours, of the type asked for, and what it holds lives as long as it does"
    )]
    fn read(&self) -> Result<BTreeMap<String, String>, RDKafkaRespErr> {
        let event = self.0.as_ptr();
        let topics: &[*const rd_kafka_TopicDescription_t] = unsafe {
            let error = rd_kafka_event_error(event);
            if error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(error);
            }
            if rd_kafka_event_type(event) != RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT {
                return Err(RDKafkaRespErr::RD_KAFKA_RESP_ERR__FAIL);
            }
            let mut count = 0;
            let first =
                rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &raw mut count);
            if count == 0 {
                &[]
            } else {
                std::slice::from_raw_parts(first, count)
            }
        };
        // One that is not there, or that we may not see, has none.
        let text = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy());
        let ids = topics.iter().filter_map(|topic| {
            let (name, id) = unsafe {
                let id = rd_kafka_TopicDescription_topic_id(*topic);
                let id = if id.is_null() {
                    std::ptr::null()
                } else {
                    rd_kafka_Uuid_base64str(id)
                };
                (rd_kafka_TopicDescription_name(*topic), id)
            };
            // The library writes the other alphabet.
            Some((text(name)?.into_owned(), text(id)?.replace('+', "-").replace('/', "_")))
        });
        Ok(ids.filter(|(_, id)| id != UNKNOWN).collect())
    }
}

impl Drop for Event {
    #[expect(unsafe_code, reason = "it is ours")]
    fn drop(&mut self) {
        unsafe { rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}
