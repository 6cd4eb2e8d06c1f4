//! Kafka that is away, or whose topics are not what they should be: a halt, a wait, or giving way to another bridge.

use crate::world::World;
use crate::world::line::until;

/// One row published, then stopped.
fn carried(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    Some(world)
}

#[test]
fn a_broker_that_is_away_is_waited_for_and_a_stop_is_heard() {
    let Some(mut world) = carried("broker_away") else {
        return;
    };
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let address = world.broker.address.clone();
    world.configure(|text| text.replace(&address, "127.0.0.1:1"));
    let mut bridge = world.start();
    bridge.await_word("Connection refused");
    let ended = bridge.stop();
    assert_eq!(ended.code, 0, "{ended}");
    let checked = world.call("check", &[]);
    assert_eq!(checked.code, 1, "{checked}");
    assert!(checked.out.contains("127.0.0.1:1"), "{checked}");
    world.holds(&["1"]);
    world.configure(|text| text);
    world.carry(2);
    world.holds(&["1", "2"]);
}

#[test]
fn a_missing_topic_halts_where_none_may_be_made() {
    let Some(mut world) = carried("topic_missing") else {
        return;
    };
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let topic = format!("{}.others", world.name);
    world.configure(|text| {
        text.replace(".items\"", ".others\"")
            .replace("[kafka.topics]", "[kafka.topics]\ncreate = false")
    });
    let ended = world.ended();
    ended.says(1, "kafka.topic_missing", &[&format!("topic {topic}"), "hint: "]);
    assert!(!world.broker.has(&topic));
    assert_eq!(world.call("check", &[]).code, 1);
    world.holds(&["1"]);
}

#[test]
fn a_topic_that_takes_less_than_the_limit_and_one_with_other_partitions_are_told_of() {
    let Some(mut world) = World::new("topic_limits") else {
        return;
    };
    let large = |text: String| text + "\n[limits]\nrecord_bytes_max = \"2MB\"\n";
    world.set_up();
    world.configure(large);
    let checked = world.call("check", &[]);
    assert_eq!(checked.code, 0, "{checked}");
    let limit = "takes 1048588 bytes at once, and limits.record_bytes_max is 2000000";
    assert!(checked.out.contains(limit), "{checked}");
    let raise = format!("--alter --topic {} --add-config max.message.bytes=20", world.topic());
    assert!(checked.out.contains(&raise), "{checked}");
    assert!(!checked.out.contains("position takes"), "{checked}");
    let other = format!("{}.others", world.name);
    world.configure(|text| large(text).replace(".items\"", ".others\""));
    world.set_up().broker.widen(&other, 3);
    let made = world.call("check", &[]);
    assert!(
        !made.out.contains("bytes at once"),
        "a new topic takes what is sent: {made}"
    );
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    let mut bridge = world.start();
    bridge.await_word(&format!(
        "topic {other} has 3 partitions, and kafka.topics.partitions says 2"
    ));
    assert_eq!(bridge.stop().code, 0);
    let bridge = world.start();
    until("it is told there", || world.broker.committed(&other).len() == 1);
    assert!(!bridge.said().contains("3 partitions"), "{}", bridge.said());
}

#[test]
fn a_record_that_is_too_large_halts_before_anything_of_its_transaction_is_told() {
    let Some(mut world) = World::new("too_large") else {
        return;
    };
    world.run("ALTER TABLE item ALTER lbl TYPE text; ALTER TABLE item REPLICA IDENTITY FULL");
    world.configure(|text| format!("{text}\n[limits]\nrecord_bytes_max = \"10kB\"\n"));
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20), (3, 'N', repeat('secret', 3000), 30)");
    let ended = world.ended();
    ended.says(
        1,
        "kafka.record_too_large",
        &["Item", "hint: raise limits.record_bytes_max"],
    );
    assert!(!ended.err.contains("secret"), "a value is told\n{ended}");
    world.holds(&["1"]);
    world.configure(|text| text);
    world.carry(3);
    world.holds(&["1", "2", "3"]);
}

#[test]
fn a_position_that_cannot_be_read_halts() {
    let Some(mut world) = carried("garbage") else { return };
    let (topic, name) = (world.position_topic(), world.name.clone());
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let kept = world.broker.committed(&topic).pop().expect("a position").1;
    world.broker.write(&topic, &name, "{ garbage");
    let what = format!("cannot read the position in {topic} at offset ");
    world
        .ended()
        .says(1, "kafka.position_unreadable", &[&what, "hint: walbridge recover"]);
    world.broker.write(&topic, "another", &kept);
    let ended = world.ended();
    ended.says(
        1,
        "kafka.position_foreign",
        &[&format!("is not of bridge {name}"), "keep other writers off the topic"],
    );
    world.broker.write(&topic, &name, &kept);
    world.broker.write(&topic, "another", &kept);
    let done = world.call("recover", &["--yes"]);
    assert!(done.code == 0 && done.out.contains("Epoch 1 goes on"), "{done}");
    world.holds(&["1"]);
    world.carry(2);
    world.holds(&["1", "2"]);
}

#[test]
fn a_position_of_another_server_halts() {
    let Some(mut world) = carried("system") else { return };
    let (topic, name) = (world.position_topic(), world.name.clone());
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let kept = world.broker.committed(&topic).pop().expect("a position").1;
    let mut other: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let ours = other["system_identifier"].as_str().unwrap().to_owned();
    other["system_identifier"] = "7000000000000000001".into();
    world.broker.write(&topic, &name, &other.to_string());
    let what = format!("system identifier {ours}, not 7000000000000000001");
    let repair = "hint: connect to the former server, or: walbridge recover";
    world.ended().says(1, "source.other_system", &[&what, repair]);
    world.broker.write(&topic, &name, &kept);
    world.holds(&["1"]);
}

#[test]
fn a_bridge_that_another_took_over_from_ends_with_4() {
    let Some(mut world) = carried("fenced") else { return };
    let (topic, name) = (world.position_topic(), world.name.clone());
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    let kept = world.broker.committed(&topic).pop().expect("a position").1;
    let mut other: serde_json::Value = serde_json::from_str(&kept).unwrap();
    other["nonce"] = "0123456789abcdef".into();
    world
        .broker
        .write_as(&format!("walbridge.{name}"), &topic, &name, &other.to_string());
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let ended = bridge.ended();
    assert_eq!(ended.code, 4, "{ended}");
    assert!(ended.err.contains("another bridge of this name took over"), "{ended}");
    assert!(ended.err.contains("0123456789abcdef"), "{ended}");
    world.holds(&["1"]);
    world.carry(2);
    until("the row is there", || world.keys() == ["1", "2"]);
}

#[test]
fn topics_that_changed_under_the_position_halt_and_check_says_so() {
    let Some(mut world) = carried("topic_changed") else {
        return;
    };
    let (topic, position) = (world.topic(), world.position());
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    world.broker.widen(&topic, 3);
    let more = format!("topic {topic} had 2 partitions when the position was stored and has 3 now");
    halts(
        &world,
        "kafka.partitions_changed",
        &more,
        "hint: walbridge recover -c FILE: it accepts the new count",
    );
    world.holds(&["1"]);
    world.broker.remove(&topic);
    let gone = format!("topic {topic} that the position rests on does not exist");
    halts(
        &world,
        "kafka.topic_lost",
        &gone,
        "hint: walbridge recover -c FILE: it says what is gone",
    );
    assert_eq!(world.position(), position);
    world.broker.make(&topic, 2);
    let anew = format!("topic {topic} was deleted and made again since the position was stored");
    halts(
        &world,
        "kafka.topic_made_again",
        &anew,
        "hint: walbridge recover -c FILE: it says what is gone",
    );
    world.broker.remove(&world.position_topic());
    let unknown = format!(
        "the slot {} stands at {position}, and no position is stored",
        world.slot()
    );
    halts(
        &world,
        "source.slot_without_position",
        &unknown,
        "hint: walbridge setup --adopt",
    );
}

#[test]
fn a_topic_that_is_made_again_under_a_bridge_halts_it() {
    let Some(mut world) = carried("topic_again") else {
        return;
    };
    let topic = world.topic();
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.broker.make_again(&topic, 2);
    // The broker takes it as if nothing had happened.
    world.run("INSERT INTO item VALUES (2, 'N', 'two', 20)");
    let ended = bridge.ended();
    ended.says(1, "kafka.topic_made_again", &["walbridge recover"]);
}

#[test]
fn a_start_warns_of_a_state_topic_that_expires() {
    let Some(world) = World::new("topic_expires") else {
        return;
    };
    world.set_up();
    world.broker.make_again(&world.topic(), 2);
    world.ended().says(1, "kafka.topic_made_again", &[]);
    assert_eq!(world.call("recover", &["--yes"]).code, 0);
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    bridge.await_word("kafka.states_expire");
    assert_eq!(bridge.stop().code, 0);
}

/// It halts so, and `check` says the same.
fn halts(world: &World, code: &str, what: &str, repair: &str) {
    world.ended().says(1, code, &[what, repair]);
    let checked = world.call("check", &[]);
    assert!(checked.code == 1 && checked.out.contains(what), "{checked}");
    assert!(checked.out.contains(repair), "{checked}");
}
