//! What another config means for what is in the topics already.

use crate::flow::declaration::{Declaration, Declarations};

/// One thing that is declared otherwise than when it was last told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of which entity.
    pub entity: String,
    /// What changed: a sentence without its subject, such as `publishes "note" too`.
    pub says: String,
    /// What follows from it.
    pub means: Means,
}

/// What follows from a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Nothing in the topics is out of date.
    Nothing,
    /// The state topic holds rows as they were declared before: they are told again, and what is no longer the entity gets a
    /// tombstone.
    TellAgain,
    /// Consumers must know: an operator decides.
    Decide,
    /// No topic can hold both: a new one is needed.
    NewTopic,
}

/// What changed, by entity.
pub fn differences(before: &Declarations, now: &Declarations) -> Vec<Difference> {
    let mut found = Vec::new();
    for (entity, declared) in now {
        let mut say = |means, says: String| {
            found.push(Difference {
                entity: entity.clone(),
                says,
                means,
            });
        };
        match before.get(entity) {
            Some(before) => compare(before, declared, &mut say),
            None => say(Means::Nothing, "is new".to_owned()),
        }
    }
    for entity in before.keys().filter(|entity| !now.contains_key(*entity)) {
        found.push(Difference {
            entity: entity.clone(),
            says: "is no longer declared: what is in its topics stays, and nothing is added".to_owned(),
            means: Means::Nothing,
        });
    }
    found
}

fn compare(before: &Declaration, now: &Declaration, say: &mut dyn FnMut(Means, String)) {
    // What a state topic holds; without one nothing stands in any topic that could be out of date.
    let again = if now.state_topic.is_some() {
        Means::TellAgain
    } else {
        Means::Nothing
    };
    let same_topic = before.state_topic == now.state_topic;
    if before.table != now.table {
        say(
            again,
            format!("comes from {}, no longer from {}", now.table, before.table),
        );
    }
    match (&before.state_topic, &now.state_topic) {
        (Some(before), Some(now)) if before != now => say(
            Means::TellAgain,
            format!("has its states in {now}, no longer in {before}, which keeps what it has"),
        ),
        (Some(before), None) => say(
            Means::Nothing,
            format!("has no states any more: {before} keeps what it has"),
        ),
        (None, Some(now)) => say(Means::TellAgain, format!("has states now, in {now}")),
        _ => {}
    }
    // In a topic that goes on, what one key told before would be another key's history; in a new one there are none.
    let goes_on = same_topic && now.state_topic.is_some()
        || now.event_topics.iter().any(|topic| before.event_topics.contains(topic));
    let decide = if goes_on { Means::Decide } else { again };
    if before.key != now.key {
        let (was, is) = (before.key.join(", "), now.key.join(", "));
        say(decide, format!("has the key {is}, no longer {was}"));
    }
    if before.partition_by != now.partition_by {
        let spelt = |names: &[String]| {
            if names.is_empty() {
                "its key".to_owned()
            } else {
                names.join(", ")
            }
        };
        let (was, is) = (spelt(&before.partition_by), spelt(&now.partition_by));
        // A tombstone in the old partition would come after the state in the new one, and remove it for who folds by key.
        let means = if same_topic && now.state_topic.is_some() {
            Means::NewTopic
        } else {
            decide
        };
        say(means, format!("goes to partitions by {is}, no longer by {was}"));
    }
    compare_rows(before, now, &mut |says| say(again, says));
    if before.event_topics != now.event_topics && !before.event_topics.is_empty() {
        let (was, is) = (before.event_topics.join(", "), now.event_topics.join(", "));
        let is = if is.is_empty() {
            "nowhere".to_owned()
        } else {
            format!("to {is}")
        };
        say(
            Means::Nothing,
            format!("tells its next events {is}; those before stay in {was}"),
        );
    }
}

/// Which rows are told, and what of them.
fn compare_rows(before: &Declaration, now: &Declaration, say: &mut dyn FnMut(String)) {
    if before.filter != now.filter {
        let spelt = |filter: &Option<String>| {
            filter
                .as_ref()
                .map_or("all rows".to_owned(), |text| format!("`{text}`"))
        };
        say(format!(
            "is {}, no longer {}",
            spelt(&now.filter),
            spelt(&before.filter)
        ));
    }
    for (field, told) in &now.fields {
        match before.fields.get(field) {
            None => say(format!("publishes \"{field}\" too")),
            Some(before) if before != told => say(format!("tells \"{field}\" by {told}, no longer by {before}")),
            Some(_) => {}
        }
    }
    for field in before.fields.keys().filter(|field| !now.fields.contains_key(*field)) {
        say(format!("no longer publishes \"{field}\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Declaration {
        Declaration {
            table: "public.ord".to_owned(),
            state_topic: Some("orders".to_owned()),
            event_topics: vec!["order-events".to_owned()],
            filter: Some("typ = 'S'".to_owned()),
            key: vec!["number".to_owned()],
            partition_by: Vec::new(),
            fields: [("number".to_owned(), "\"no\"".to_owned())].into(),
        }
    }

    fn found(change: impl FnOnce(&mut Declaration)) -> Vec<(Means, String)> {
        let mut now = declared();
        change(&mut now);
        let all = |one: Declaration| Declarations::from([("Order".to_owned(), one)]);
        let found = differences(&all(declared()), &all(now));
        found.into_iter().map(|one| (one.means, one.says)).collect()
    }

    #[test]
    fn what_states_are_made_of_is_told_again() {
        assert_eq!(found(|_| {}), []);
        let says = |means, text: &str| vec![(means, text.to_owned())];
        assert_eq!(
            found(|one| one.filter = None),
            says(Means::TellAgain, "is all rows, no longer `typ = 'S'`")
        );
        assert_eq!(
            found(|one| drop(one.fields.insert("note".to_owned(), "\"rmk\"".to_owned()))),
            says(Means::TellAgain, "publishes \"note\" too")
        );
        assert_eq!(
            found(|one| drop(one.fields.insert("number".to_owned(), "upper(no)".to_owned()))),
            says(Means::TellAgain, "tells \"number\" by upper(no), no longer by \"no\"")
        );
        assert_eq!(
            found(|one| one.fields.clear()),
            says(Means::TellAgain, "no longer publishes \"number\"")
        );
        assert_eq!(
            found(|one| one.event_topics = vec!["other".to_owned()]),
            says(
                Means::Nothing,
                "tells its next events to other; those before stay in order-events"
            )
        );
    }

    #[test]
    fn another_key_is_an_operators_decision_unless_its_topic_is_new() {
        let other_key = |one: &mut Declaration| one.key = vec!["id".to_owned()];
        assert_eq!(
            found(other_key),
            [(Means::Decide, "has the key id, no longer number".to_owned())]
        );
        let both = found(|one| {
            other_key(one);
            one.state_topic = Some("orders-2".to_owned());
            one.event_topics.clear();
        });
        let all_told = |means: &Means| matches!(means, Means::Nothing | Means::TellAgain);
        assert!(both.iter().all(|(means, _)| all_told(means)), "{both:?}");
        assert_eq!(both.len(), 3);
        assert_eq!(
            found(|one| one.partition_by = vec!["number".to_owned()])[0].0,
            Means::NewTopic
        );
    }

    #[test]
    fn without_states_nothing_is_out_of_date() {
        let all = |one: Declaration| Declarations::from([("Order".to_owned(), one)]);
        let events_only = Declaration {
            state_topic: None,
            ..declared()
        };
        let other = Declaration {
            fields: [].into(),
            filter: None,
            ..events_only.clone()
        };
        let found = differences(&all(events_only.clone()), &all(other));
        assert!(found.iter().all(|one| one.means == Means::Nothing), "{found:?}");
        let gone = differences(&all(events_only), &Declarations::new());
        assert_eq!(gone.len(), 1);
    }
}
