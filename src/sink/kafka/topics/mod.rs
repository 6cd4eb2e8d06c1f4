//! Topics: what there is, and making what is missing.

mod ground;
mod ids;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataBroker;

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;
use crate::sink::kafka::client::login;
use crate::sink::kafka::client::{FRAME_BYTES_MAX, Told, position_topic, reader};
use crate::sink::kafka::errors::{Call, from_code, from_kafka};
use crate::sink::kafka::reading;
use crate::sink::kafka::settings::{Holds, Settings};

use crate::sink::kafka::topics::ids::ids;

pub(super) use crate::sink::kafka::topics::ground::settle;
pub use crate::sink::kafka::topics::ground::{How, Moved, moved};
pub(super) use crate::sink::kafka::topics::watch::Watch;

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// How long the first may take before it is looked whether any can be answered; the next take twice as long in all.
const REQUEST_STEP: Duration = Duration::from_millis(500);

/// How long a new topic may take to have leaders.
const LEADERS_MAX: Duration = Duration::from_secs(20);

/// What a topic takes at once where nobody says otherwise (`max.message.bytes`).
const USUAL_BYTES_MAX: usize = 1_048_588;

/// What a cluster says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// Its id.
    pub(super) id: String,
    /// Ids of the brokers that live, first the one that says all this.
    pub(super) brokers: Vec<i32>,
    /// Partition counts of all topics, by name.
    pub(super) partitions: BTreeMap<String, i32>,
    /// Topics with a partition that has no leader now.
    pub(super) leaderless: BTreeSet<String>,
    /// Ids of those topics that are written and that have one, by name; empty where nobody asked.
    pub(super) ids: BTreeMap<String, String>,
}

fn admin(settings: &Settings) -> Result<AdminClient<Told>, SinkError> {
    let admin: AdminClient<Told> = reader(settings)?
        .create_with_context(Told::of(settings))
        .map_err(|error| from_kafka(Call::Client, &error, &settings.brokers))?;
    login::give(admin.inner().native_ptr(), settings.oauth_token.as_ref())?;
    Ok(admin)
}

/// Asks for everything at once: a question for one topic by name could make it where brokers make topics themselves.
pub(super) fn describe(settings: &Settings) -> Result<Cluster, SinkError> {
    let asking = reading::client(settings, "read_committed")?;
    let begun = Instant::now();
    loop {
        let step = begun.elapsed().max(REQUEST_STEP);
        let answer = describe_within(asking.client(), settings, step)
            .and_then(|cluster| identify(asking.client(), settings, cluster, step));
        // What the library had to say meanwhile.
        while asking.poll(Duration::ZERO).is_some() {}
        let trouble = asking.context().trouble();
        match answer {
            Err(SinkError::Transient(_)) if begun.elapsed() < REQUEST_MAX => trouble.is_certain()?,
            answer => return answer.map_err(|error| trouble.explain(error)),
        }
    }
}

/// As [`describe`], by a client that is there, and without ids.
pub(super) fn describe_by<C: ClientContext>(client: &Client<C>, settings: &Settings) -> Result<Cluster, SinkError> {
    describe_within(client, settings, REQUEST_MAX)
}

/// The same with ids.
fn identified_by<C: ClientContext>(client: &Client<C>, settings: &Settings) -> Result<Cluster, SinkError> {
    identify(client, settings, describe_by(client, settings)?, REQUEST_MAX)
}

fn describe_within<C: ClientContext>(
    client: &Client<C>,
    settings: &Settings,
    longest: Duration,
) -> Result<Cluster, SinkError> {
    let metadata = client
        .fetch_metadata(None, longest)
        .map_err(|error| from_kafka(Call::Topics, &error, &settings.brokers))?;
    let id = client.fetch_cluster_id(longest).unwrap_or_default();
    let mut cluster = Cluster {
        id,
        brokers: metadata.brokers().iter().map(MetadataBroker::id).collect(),
        ..Cluster::default()
    };
    let told_by = metadata.orig_broker_id();
    cluster.brokers.sort_by_key(|broker| *broker != told_by);
    for topic in metadata.topics() {
        let count = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
        if count == 0 {
            continue;
        }
        cluster.partitions.insert(topic.name().to_owned(), count);
        if topic.partitions().iter().any(|partition| partition.leader() < 0) {
            cluster.leaderless.insert(topic.name().to_owned());
        }
    }
    Ok(cluster)
}

/// Asks for the ids of written topics, too: for who compares them with a position.
fn identify<C: ClientContext>(
    client: &Client<C>,
    settings: &Settings,
    mut cluster: Cluster,
    longest: Duration,
) -> Result<Cluster, SinkError> {
    let written = settings.written.iter().map(|topic| topic.name.as_str());
    let there: Vec<&str> = written.filter(|name| cluster.partitions.contains_key(*name)).collect();
    if !there.is_empty() {
        let broker = cluster.brokers.first().copied().unwrap_or(-1);
        cluster.ids = ids(client, broker, &there, longest)?;
    }
    Ok(cluster)
}

/// All topics a bridge writes, with the partitions a new one gets.
pub(super) fn wanted(settings: &Settings) -> Vec<(String, i32)> {
    let mut wanted: Vec<_> = settings
        .written
        .iter()
        .map(|topic| (topic.name.clone(), settings.topics.partitions))
        .collect();
    wanted.push((position_topic(&settings.name), 1));
    wanted
}

/// Makes the topics that are missing, whatever `create` says, and waits until they can be written to.
///
/// # Errors
/// See [`SinkError`].
pub fn create_topics(settings: &Settings) -> Result<Vec<String>, SinkError> {
    let admin = admin(settings)?;
    let there = describe_by(admin.inner(), settings)?;
    let missing: Vec<_> = wanted(settings)
        .into_iter()
        .filter(|(name, _)| !there.partitions.contains_key(name))
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let sent = settings.record_bytes_max;
    let limit = (sent > USUAL_BYTES_MAX).then(|| sent.saturating_add(FRAME_BYTES_MAX).to_string());
    let new: Vec<_> = missing
        .iter()
        .map(|(name, partitions)| new_topic(settings, (name, *partitions), limit.as_deref()))
        .collect();
    let options = AdminOptions::new()
        .operation_timeout(Some(REQUEST_MAX))
        .request_timeout(Some(REQUEST_MAX));
    let answers = wait(admin.create_topics(&new, &options), REQUEST_MAX.saturating_mul(2))
        .ok_or_else(|| SinkError::Transient("cannot make topics: no answer".to_owned()))?
        .map_err(|error| from_kafka(Call::Topics, &error, &settings.brokers))?;
    let mut made = Vec::new();
    for answer in answers {
        match answer {
            Ok(name) => made.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(from_code(Call::Topics, code, &name)),
        }
    }
    let begun = Instant::now();
    loop {
        let now = describe_by(admin.inner(), settings)?;
        if missing
            .iter()
            .all(|(name, _)| now.partitions.contains_key(name) && !now.leaderless.contains(name))
        {
            return Ok(made);
        }
        if begun.elapsed() > LEADERS_MAX {
            return Err(SinkError::Transient("new topics have no leaders yet".to_owned()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn new_topic<'a>(
    settings: &'a Settings,
    (name, partitions): (&'a str, i32),
    record_limit: Option<&'a str>,
) -> NewTopic<'a> {
    let defaults = &settings.topics;
    let new = NewTopic::new(name, partitions, TopicReplication::Fixed(defaults.replication));
    let (new, properties) = match settings
        .written
        .iter()
        .find(|topic| topic.name == name)
        .map(|topic| topic.holds)
    {
        // One record a commit: compacted soon, so that a start reads few of them.
        None => {
            let new = new.set("cleanup.policy", "compact").set("segment.bytes", "16777216");
            let new = new.set("segment.ms", "3600000").set("min.cleanable.dirty.ratio", "0.1");
            (new.set("delete.retention.ms", "60000"), &[][..])
        }
        // A reader that was away for a weekend still meets the tombstones.
        Some(Holds::States) => {
            let new = new
                .set("cleanup.policy", "compact")
                .set("delete.retention.ms", "604800000");
            (new, defaults.state.as_slice())
        }
        Some(Holds::Events) => (new.set("retention.ms", "-1"), defaults.events.as_slice()),
    };
    let new = match record_limit {
        Some(limit) => new.set("max.message.bytes", limit),
        None => new,
    };
    // A later value of the same property takes the place of an earlier one.
    properties.iter().fold(new, |new, (key, value)| new.set(key, value))
}

/// Properties of existing topics.
pub(super) fn properties(settings: &Settings, names: &[String]) -> Result<Vec<(String, ConfigResource)>, SinkError> {
    let admin = admin(settings)?;
    let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(REQUEST_MAX));
    let answers = wait(admin.describe_configs(&asked, &options), REQUEST_MAX.saturating_mul(2))
        .ok_or_else(|| SinkError::Transient("cannot describe topics: no answer".to_owned()))?
        .map_err(|error| from_kafka(Call::Topics, &error, &settings.brokers))?;
    answers
        .into_iter()
        .zip(names)
        .map(|(answer, name)| {
            let resource = answer.map_err(|code| from_code(Call::Topics, code, name))?;
            match &resource.specifier {
                OwnedResourceSpecifier::Topic(name) => Ok((name.clone(), resource)),
                OwnedResourceSpecifier::Group(_) | OwnedResourceSpecifier::Broker(_) => Err(SinkError::Transient(
                    format!("cannot describe topic {name}: another answer"),
                )),
            }
        })
        .collect()
}

/// A topic that is not there and may not be made.
pub(super) fn missing(settings: &Settings, name: &str) -> Finding {
    let partitions = wanted(settings)
        .into_iter()
        .find(|(topic, _)| topic == name)
        .map_or(1, |(_, count)| count);
    Finding::error(Cause::Surroundings, "kafka.topic_missing", format!("topic {name} does not exist")).repair(format!(
        "set kafka.topics.create = true, or: kafka-topics --bootstrap-server {} --create --topic {name} --partitions {partitions} --replication-factor {}{}",
        settings.brokers,
        settings.topics.replication,
        match settings.written.iter().find(|topic| topic.name == name).map(|topic| topic.holds) {
            None | Some(Holds::States) => " --config cleanup.policy=compact",
            Some(Holds::Events) => " --config retention.ms=-1",
        }
    ))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for an answer on this thread, so that it works inside and outside of a runtime.
fn wait<F: Future>(future: F, longest: Duration) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let begun = Instant::now();
    while begun.elapsed() < longest {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return Some(answer),
            Poll::Pending => std::thread::park_timeout(Duration::from_millis(100)),
        }
    }
    None
}
