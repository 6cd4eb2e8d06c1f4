//! Readers of the output that go away, disks that are full, and the sink that is the output.

use std::fs::File;
use std::process::Stdio;

use crate::world::World;
use crate::world::line::{Ended, finished};
use crate::world::program;

/// Runs a command whose reader is gone before it says a word.
fn unheard(world: &World, words: &[&str]) -> Ended {
    let mut program = program();
    program.args(words).arg("-c").arg(world.config()).stdin(Stdio::null());
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::new(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

#[test]
fn a_reader_that_goes_away_ends_nothing_half_done() {
    let Some(mut world) = World::new("unheard") else { return };
    assert_eq!(unheard(&world, &["setup"]).code, 0);
    let applied = unheard(&world, &["setup", "--apply"]);
    assert!(applied.code == 0 && !applied.err.contains("panicked"), "{applied}");
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world.carry(1);
    world.holds(&["1"]);
    assert_eq!(unheard(&world, &["check"]).code, 0);
    assert_eq!(unheard(&world, &["check", "--format", "json"]).code, 0);
}

#[test]
fn output_that_cannot_be_written_is_not_called_done() {
    let Some(world) = World::new("full") else { return };
    let mut program = program();
    program.args(["setup", "-c"]).arg(world.config()).stdin(Stdio::null());
    let shown = program
        .stdout(File::create("/dev/full").unwrap())
        .stderr(Stdio::piped());
    let done = shown.spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(
        said.contains("cannot write to stdout: ") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn the_output_as_a_sink_needs_no_kafka_and_halts_without_a_reader() {
    let Some(mut world) = World::new("stdout") else { return };
    world.configure(|text| {
        let (before, rest) = text.split_once("[kafka]").unwrap();
        let (_, after) = rest.split_once("[http]").unwrap();
        format!("{before}[http]{after}").replace("[source]", "sink = \"stdout\"\n\n[source]")
    });
    for said in ["first", "all of it is there already"] {
        let done = world.call("setup", &["--apply"]);
        assert_eq!(done.code, 0, "{done}");
        assert!(said == "first" || done.out.contains(said), "{done}");
    }
    let shown = world.call("setup", &[]);
    assert!(shown.code == 0 && !shown.out.contains("Topics"), "{shown}");
    let checked = finished(program().args(["check", "-c"]).arg(world.config()));
    assert_eq!(checked.code, 0, "{checked}");
    world.run("INSERT INTO item SELECT n, 'N', 'one', n FROM generate_series(1, 2000) n");
    let ended = unheard(&world, &["run", "--log", "text"]);
    ended.says(
        1,
        "stdout.closed",
        &["whoever read the output has closed it", "hint: start it again"],
    );
    let slot = world.slot();
    let kept = world.ask(&format!(
        "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, 'proto_version', '1', 'publication_names', '{slot}')"
    ));
    assert!(
        kept.parse::<usize>().unwrap() > 2000,
        "{kept} changes are still to be told"
    );
}
