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
    /// Nothing was told of it.
    Begin,
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
            Some(before) => {
                if before.gone {
                    say(again(declared), "is declared again".to_owned());
                }
                compare(before, declared, &mut say);
            }
            None => match named_before(before, now, declared) {
                Some((former, of_former)) => {
                    say(
                        Means::TellAgain,
                        format!("is new, and what was told as {former} is in its topic"),
                    );
                    compare(of_former, declared, &mut say);
                }
                None => say(Means::Begin, "is new".to_owned()),
            },
        }
    }
    let left = before
        .iter()
        .filter(|(entity, one)| !one.gone && !now.contains_key(*entity));
    for (entity, _) in left {
        found.push(Difference {
            entity: entity.clone(),
            says: "is no longer declared: what is in its topics stays, and nothing is added".to_owned(),
            means: Means::Nothing,
        });
    }
    found
}

/// What a state topic holds; without one nothing stands in any topic that could be out of date.
fn again(now: &Declaration) -> Means {
    if now.state_topic.is_some() {
        Means::TellAgain
    } else {
        Means::Nothing
    }
}

/// What another entity that is gone told into the same state topic: that one has another name now.
fn named_before<'a>(
    before: &'a Declarations,
    now: &Declarations,
    declared: &Declaration,
) -> Option<(&'a String, &'a Declaration)> {
    let topic = declared.state_topic.as_ref()?;
    let mut gone = before.iter().filter(|(entity, _)| !now.contains_key(*entity));
    gone.find(|(_, one)| one.state_topic.as_ref() == Some(topic))
}

fn compare(before: &Declaration, now: &Declaration, say: &mut dyn FnMut(Means, String)) {
    let again = again(now);
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
    let keys = made_otherwise((&before.key, before), (&now.key, now));
    if let Some((is, was)) = &keys {
        say(decide, format!("has the key {is}, no longer {was}"));
    }
    let places = made_otherwise((before.places(), before), (now.places(), now));
    let by_key = before.places() == before.key && now.places() == now.key;
    if let Some((is, was)) = places.filter(|_| !by_key) {
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

/// How the fields that are named are made, and how they were, where that is not the same.
fn made_otherwise(
    (names_before, before): (&[String], &Declaration),
    (names, now): (&[String], &Declaration),
) -> Option<(String, String)> {
    if names_before != names {
        return Some((names.join(", "), names_before.join(", ")));
    }
    let name = names.iter().find(|name| !is_same(name, before, now))?;
    let made = |one: &Declaration| format!("{name} by {}", one.fields.get(name).map_or("nothing", String::as_str));
    Some((made(now), made(before)))
}

/// Whether a field that both have is told as before.
fn is_same(field: &str, before: &Declaration, now: &Declaration) -> bool {
    let (was, is, former) = (before.fields.get(field), now.fields.get(field), now.formerly.get(field));
    was == is || was.is_some() && was == former
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
            Some(_) if is_same(field, before, now) => {}
            Some(was) => say(format!("tells \"{field}\" by {told}, no longer by {was}")),
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
            fields: [("number", "\"no\""), ("note", "\"rmk\"")]
                .map(|(name, told)| (name.to_owned(), told.to_owned()))
                .into(),
            ..Declaration::default()
        }
    }

    /// The only entity of a config.
    fn all(one: Declaration) -> Declarations {
        Declarations::from([("Order".to_owned(), one)])
    }

    fn found(change: impl FnOnce(&mut Declaration)) -> Vec<(Means, String)> {
        let mut now = declared();
        change(&mut now);
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
            found(|one| drop(one.fields.insert("city".to_owned(), "\"ort\"".to_owned()))),
            says(Means::TellAgain, "publishes \"city\" too")
        );
        assert_eq!(
            found(|one| drop(one.fields.insert("note".to_owned(), "upper(rmk)".to_owned()))),
            says(Means::TellAgain, "tells \"note\" by upper(rmk), no longer by \"rmk\"")
        );
        assert_eq!(
            found(|one| drop(one.fields.remove("note"))),
            says(Means::TellAgain, "no longer publishes \"note\"")
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
    }

    #[test]
    fn a_key_that_is_made_otherwise_is_another_key_unless_its_column_was_only_renamed() {
        let respelt = |one: &mut Declaration| drop(one.fields.insert("number".to_owned(), "upper(no)".to_owned()));
        let key = "has the key number by upper(no), no longer number by \"no\"".to_owned();
        assert_eq!(found(respelt)[0], (Means::Decide, key));
        let renamed = found(|one| {
            one.fields.insert("number".to_owned(), "\"nr\"".to_owned());
            one.formerly.insert("number".to_owned(), "\"no\"".to_owned());
        });
        assert_eq!(renamed, []);
    }

    #[test]
    fn other_partitions_need_a_new_topic() {
        let by_note = |one: &mut Declaration| one.partition_by = vec!["note".to_owned()];
        let says = "goes to partitions by note, no longer by number".to_owned();
        assert_eq!(found(by_note), [(Means::NewTopic, says)]);
        // The key is where they go anyway.
        assert_eq!(found(|one| one.partition_by = vec!["number".to_owned()]), []);

        let mut before = declared();
        by_note(&mut before);
        let mut respelt = before.clone();
        respelt.fields.insert("note".to_owned(), "upper(rmk)".to_owned());
        let found = differences(&all(before), &all(respelt));
        assert_eq!(found[0].means, Means::NewTopic, "{found:?}");
    }

    #[test]
    fn an_entity_that_comes_back_is_compared_with_what_it_was() {
        let gone = Declaration {
            gone: true,
            ..declared()
        };
        assert_eq!(differences(&all(gone.clone()), &Declarations::new()), []);
        let mut other = declared();
        other.key = vec!["note".to_owned()];
        let found = differences(&all(gone), &all(other));
        let means: Vec<Means> = found.iter().map(|one| one.means).collect();
        assert_eq!(means, [Means::TellAgain, Means::Decide], "{found:?}");
    }

    #[test]
    fn an_entity_of_another_name_in_the_same_state_topic_is_the_former_one() {
        let under = |name: &str, one| Declarations::from([(name.to_owned(), one)]);
        let means = |now| {
            let found = differences(&all(declared()), &under("Purchase", now));
            let of_new = found.into_iter().filter(|one| one.entity == "Purchase");
            of_new.map(|one| one.means).collect::<Vec<Means>>()
        };
        assert_eq!(means(declared()), [Means::TellAgain]);
        let mut other = declared();
        other.key = vec!["note".to_owned()];
        assert_eq!(means(other), [Means::TellAgain, Means::Decide]);
        let elsewhere = Declaration {
            state_topic: Some("purchases".to_owned()),
            ..declared()
        };
        assert_eq!(means(elsewhere), [Means::Begin]);
        // Beside the other one it cannot be that.
        let both = all(declared())
            .into_iter()
            .chain(under("Purchase", declared()))
            .collect();
        let found = differences(&all(declared()), &both);
        assert_eq!(
            found.iter().map(|one| one.means).collect::<Vec<Means>>(),
            [Means::Begin]
        );
    }

    #[test]
    fn without_states_nothing_is_out_of_date() {
        let events_only = Declaration {
            state_topic: None,
            ..declared()
        };
        let other = Declaration {
            fields: [("number".to_owned(), "\"no\"".to_owned())].into(),
            filter: None,
            ..events_only.clone()
        };
        let found = differences(&all(events_only.clone()), &all(other));
        assert!(found.iter().all(|one| one.means == Means::Nothing), "{found:?}");
        let gone = differences(&all(events_only), &Declarations::new());
        assert_eq!(gone.len(), 1);
    }
}
