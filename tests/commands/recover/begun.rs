//! A first position beside topics that tell of an earlier one.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::recover::{carried_on, gaps, stored, told, with_events};
use crate::world::{World, program};

#[test]
fn what_was_told_before_is_never_begun_with_epoch_one() {
    let Some(world) = World::new("begun") else { return };
    let mut world = told(world);
    let slot = world.slot();
    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    carried_on(&mut world, (2, 2));

    world.broker.remove(&world.position_topic());
    world.run(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let gone = ["holds records of epoch 2", "hint: walbridge recover"];
    let made = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    let refused = world.call("setup", &["--apply"]);
    refused.says_json(1, "kafka.position_gone", "walbridge recover");
    assert_eq!(world.ask(&made), "0", "{refused}");
    world.configure(|text| with_events(text).replace("[kafka]\n", "create = true\n\n[kafka]\n"));
    world.ended().says(1, "kafka.position_gone", &gone);
    assert_eq!(world.ask(&made), "0");
    let checked = world.call("check", &[]);
    assert!(checked.code == 1 && checked.out.contains(gone[0]), "{checked}");
    assert!(!checked.out.contains("setup --apply"), "{checked}");

    // Whoever takes it upon himself is told, and the next epoch is above what the topics hold all the same.
    world.run(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ));
    let adopted = world.call("setup", &["--adopt"]);
    assert!(adopted.code == 0 && adopted.err.contains(gone[0]), "{adopted}");
    assert_eq!(stored(&world)["epoch"], 1);
    let done = world.call("recover", &["--yes"]);
    assert_eq!(done.code, 0, "{done}");
    carried_on(&mut world, (3, 1));
    assert_eq!(gaps(&world).len(), 2);
}

#[test]
fn a_bridge_on_the_former_slot_is_seen() {
    let Some(world) = World::new("former") else { return };
    let world = told(world);
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.configure(|text| with_events(text).replace("[kafka]\n", "slot = \"another_slot\"\n\n[kafka]\n"));
    let before = stored(&world);
    let refused = world.call("recover", &["--yes"]);
    refused.says_json(1, "source.slot_busy", "stop the bridge, then: walbridge recover");
    assert_eq!(bridge.stop().code, 0);
    assert_eq!(stored(&world)["epoch"], before["epoch"]);
}

#[test]
fn a_position_that_moves_during_the_question_is_left_alone() {
    let Some(world) = World::new("moved") else { return };
    let world = told(world);
    // A terminal, so that it asks.
    let line = format!(
        "{} recover -c {}",
        program().get_program().display(),
        world.config().display()
    );
    let mut asked = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (asked.stdin.take().unwrap(), asked.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("[y/N]") {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        said.push(char::from(byte[0]));
    }
    let mut position = stored(&world);
    position["nonce"] = "another".into();
    world
        .broker
        .write(&world.position_topic(), &world.name, &position.to_string());
    input.write_all(b"y\n").unwrap();
    output.read_to_string(&mut said).unwrap();
    assert_eq!(asked.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("recover.moved"), "{said}");
    assert_eq!(stored(&world), position);
}

#[test]
fn the_topics_of_another_bridge_are_left_to_it() {
    let Some(world) = World::new("topics_of_another") else {
        return;
    };
    let world = told(world);
    let (name, topics) = (world.name.clone(), world.broker.committed(&world.topic()).len());
    let of_two = |text: String| text.replace(&format!("name = \"{name}\""), &format!("name = \"{name}_two\""));
    world.configure(|text| of_two(with_events(text)));
    let parts = [
        format!("name = \"{name}\""),
        format!("delete its topic walbridge.{name}.position"),
    ];
    let shown = world.call("check", &[]);
    assert!(parts.iter().all(|part| shown.out.contains(part)), "{shown}");
    let refused = world.call("recover", &["--yes", "--as", &world.url()]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.err.contains("kafka.topic_of_another"), "{refused}");
    assert_eq!(world.broker.committed(&world.topic()).len(), topics);
    // The first goes on.
    world.configure(with_events);
    let mut bridge = world.start();
    bridge.await_ready("streaming");
    assert_eq!(bridge.stop().code, 0);
}
