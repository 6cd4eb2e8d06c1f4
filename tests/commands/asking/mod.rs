//! `walbridge status`, as a health check asks: by its exit code first of all.

use serde_json::Value;

use crate::port::free_port;
use crate::world::World;
use crate::world::line::until;

fn listen(world: &World, port: u16, change: impl FnOnce(String) -> String) {
    world.configure(|text| change(text.replace("127.0.0.1:0\"", &format!("127.0.0.1:{port}\""))));
}

#[test]
fn the_exit_code_says_whether_the_bridge_is_ready() {
    let Some(mut world) = World::new("status") else { return };
    let port = free_port();
    listen(&world, port, |text| text);
    world.set_up();
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    world
        .call("status", &[])
        .says_json(3, "http.unreachable", "walbridge run -c FILE");

    let mut bridge = world.start();
    bridge.await_ready("streaming");
    world.await_records(1);
    until("it says what it told", || {
        let told = world.call("status", &["--format", "json"]);
        let seen: Value = serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{error}: {told}"));
        assert!(told.code == 0 && seen["ready"] == true, "{told}");
        seen["name"] == world.name.as_str() && seen["entities"][0]["inserts"] == 1
    });
    let page = world.call("status", &[]);
    let head = format!("{}: streaming for ", world.name);
    assert!(page.code == 0 && page.out.starts_with(&head), "{page}");
    let told = page.out.lines().find(|line| line.contains(&world.topic()));
    let told: Vec<&str> = told.unwrap_or_default().split_whitespace().collect();
    assert_eq!(told, ["Item", "Item", world.topic().as_str(), "1"], "{page}");

    listen(&world, port, |text| {
        text.replace(&format!("name = \"{}\"", world.name), "name = \"other\"")
    });
    world
        .call("status", &[])
        .says_json(1, "http.other", "`listen` of [http]");
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_bridge_that_reaches_no_server_runs_and_is_not_ready() {
    let Some(world) = World::new("status_unready") else {
        return;
    };
    let (http, nobody) = (free_port(), free_port());
    listen(&world, http, |text| {
        text.replace(&world.url(), &format!("postgresql://postgres@127.0.0.1:{nobody}/x"))
    });
    let mut bridge = world.start();
    bridge.await_word("http=");
    until("it tries again", || {
        let told = world.call("status", &[]);
        assert_ne!(told.code, 0, "{told}");
        told.code == 1 && told.out.contains("not ready: retrying")
    });
}

#[test]
fn a_program_that_keeps_a_secret_runs_only_for_commands_that_need_it() {
    let Some(mut world) = World::new("programs") else {
        return;
    };
    world.run("INSERT INTO item VALUES (1, 'N', 'one', 10)");
    let ran = world.config().with_file_name("ran");
    let secret = format!(
        "{{ command = [\"sh\", \"-c\", \"echo ran >> '{}'; echo 0123456789abcdef\"] }}",
        ran.display()
    );
    listen(&world, free_port(), |text| {
        let text = text.replace("label = \"lbl\"", "label = { from = \"lbl\", public_id = \"label\" }");
        format!("{text}\n[public_id.label]\nsecret = {secret}\nform = \"lbl_{{base32:20}}\"\n")
    });
    for (command, more, code) in [
        ("status", &[][..], 3),
        ("backfill", &["--status"], 1),
        ("check", &["--offline"], 0),
        ("setup", &[], 0),
    ] {
        let done = world.call(command, more);
        assert_eq!((done.code, ran.exists()), (code, false), "{command}: {done}");
    }
    let shown = world.call("preview", &[]);
    assert!(
        shown.code == 0 && shown.out.contains("\"lbl_") && ran.exists(),
        "{shown}"
    );
}
