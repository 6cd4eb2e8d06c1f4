//! What an operator asks of a running bridge: to tell old rows again, all or some, to wait, to go on, to end.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::port::free_port;
use crate::world::World;
use crate::world::line::until;

const TOKEN: &str = "5c4f-the-token-of-these-tests";

/// A world whose table holds so many rows, and whose bridge can be asked.
struct Asked {
    world: World,
    port: u16,
    rows_per_chunk: u32,
}

impl Asked {
    fn new(test: &str, rows: usize, rows_per_chunk: u32) -> Option<Self> {
        let mut world = World::new(test)?;
        world.run(&format!(
            "INSERT INTO item SELECT n, 'N', 'row ' || n, n FROM generate_series(1, {rows}) n; ANALYZE item"
        ));
        let port = free_port();
        let asked = Self {
            world,
            port,
            rows_per_chunk,
        };
        asked.configure(&format!("token = {{ file = {:?} }}", asked.token_file(TOKEN)));
        asked.world.set_up();
        Some(asked)
    }

    /// With this line in `[http]`.
    fn configure(&self, token: &str) {
        let (port, rows) = (self.port, self.rows_per_chunk);
        self.world.configure(|text| {
            text.replace("on_start = false", &format!("on_start = true\nrows_per_chunk = {rows}"))
                .replace("127.0.0.1:0\"", &format!("127.0.0.1:{port}\"\n{token}"))
        });
    }

    fn token_file(&self, token: &str) -> PathBuf {
        let path = self.world.config().with_file_name(format!("token-{}", token.len()));
        std::fs::write(&path, token).unwrap();
        path
    }

    /// The command, and what it prints; it must succeed.
    fn backfill(&self, words: &[&str]) -> String {
        let done = self.world.call("backfill", words);
        assert_eq!(done.code, 0, "{words:?}: {done}");
        done.out
    }

    /// The command's refusal.
    fn refused(&self, words: &[&str], (code, finding, repair): (i32, &str, &str)) {
        self.world.call("backfill", words).says_json(code, finding, repair);
    }

    /// What `--status` says of the entity.
    fn item(&self) -> Value {
        let told: Value = serde_json::from_str(&self.backfill(&["--status", "--format", "json"])).unwrap();
        assert_eq!(told["name"], self.world.name.as_str());
        told["backfill"][0].clone()
    }

    fn await_state(&self, generation: u32, state: &str) {
        until(state, || {
            let item = self.item();
            item["generation"] == generation && item["state"] == state
        });
    }

    /// Keys told as old rows, by generation, each as often as it was told.
    fn told(&self) -> BTreeMap<u64, Vec<u32>> {
        let mut told: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for (key, value) in self.world.broker.committed(&self.world.topic()) {
            let value: Value = serde_json::from_str(&value).unwrap();
            assert_eq!(value["origin"], "backfill", "{value}");
            let generation = value["generation"].as_u64().unwrap();
            told.entry(generation).or_default().push(key.parse().unwrap());
        }
        told.values_mut().for_each(|keys| keys.sort_unstable());
        told
    }

    /// An answer over HTTP: its code, and all of it.
    fn http(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split(' ').nth(1).unwrap().to_owned();
        (code, answer)
    }

    fn post(&self, token: &str, body: &str) -> (String, String) {
        let length = body.len();
        self.http(&format!(
            "POST /backfill HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn remaining_metric(&self) -> Option<String> {
        let (_, page) = self.http("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut lines = page.lines();
        let line = lines.find(|line| line.starts_with("walbridge_backfill_remaining_rows{"))?;
        line.rsplit(' ').next().map(str::to_owned)
    }
}

#[test]
fn old_rows_are_told_again_as_a_new_generation() {
    let Some(asked) = Asked::new("asked", 120, 50) else {
        return;
    };
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    asked.await_state(1, "complete");
    let item = asked.item();
    assert_eq!((&item["rows"], &item["rows_estimate"]), (&120.into(), &120.into()));

    assert_eq!(asked.backfill(&["Item"]), "Item: generation 2 begins\n");
    asked.await_state(2, "complete");
    let (code, answer) = asked.post(TOKEN, r#"{"action":"tell","entities":["Item"],"delete":"reconcile"}"#);
    assert_eq!(code, "200", "{answer}");
    assert!(answer.ends_with(r#"{"generations":[["Item",3]]}"#), "{answer}");
    asked.await_state(3, "complete");
    let all: Vec<u32> = (1..=120).collect();
    assert_eq!(
        asked.told(),
        BTreeMap::from([(1, all.clone()), (2, all.clone()), (3, all)])
    );

    let table = asked.backfill(&["Item", "--status"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ENTITY  GENERATION  STATE"), "{table}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words, ["Item", "3", "complete", "120", "120", "-", "-"], "{table}");
    let ended = bridge.stop();
    assert_eq!(ended.code, 0);
    assert!(ended.err.contains("an operator asks"), "{ended}");
    assert!(!ended.err.contains(TOKEN), "the token is in the log");
}

#[test]
fn what_does_not_fit_is_refused_and_the_stream_goes_on() {
    let Some(mut asked) = Asked::new("refused", 40, 50) else {
        return;
    };
    asked.refused(&["Item"], (1, "http.unreachable", "walbridge run"));
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    asked.await_state(1, "complete");
    asked.refused(&["Itme"], (1, "backfill.unknown_entity", "did you mean `Item`?"));
    asked.refused(
        &["Item", "Itme"],
        (1, "backfill.unknown_entity", "did you mean `Item`?"),
    );
    asked.refused(
        &["--status", "Itme"],
        (1, "backfill.unknown_entity", "did you mean `Item`?"),
    );
    for only in [
        "idd = 3",
        "id = ",
        "id = 'x' and",
        "id = 1) or (true",
        "pg_sleep(1) is null",
    ] {
        let refused = asked.world.call("backfill", &["Item", "--where", only]);
        assert_eq!(refused.code, 2, "{only}: {refused}");
        let last: Value = serde_json::from_str(refused.err.trim_end()).unwrap();
        let (what, repair) = (last["what"].as_str().unwrap(), last["repair"].as_str().unwrap());
        assert!(
            what.contains("`--where`") && repair.contains("[entity.Item]"),
            "{only}: {refused}"
        );
    }
    let some = ["Item", "--where", "id = 3", "--delete", "reconcile"];
    asked.refused(&some, (1, "backfill.reconcile_some", "--where"));
    asked.refused(&["Item", "--cancel"], (1, "backfill.not_under_way", "--status"));

    let (code, answer) = asked.post("wrong", r#"{"action":"tell","entities":["Item"]}"#);
    assert_eq!(code, "401", "{answer}");
    let wrong = asked.token_file("wrong");
    asked.configure(&format!("token = {{ file = {wrong:?} }}"));
    asked.refused(&["Item"], (1, "http.token", "`token` of [http]"));
    asked.configure("");
    asked.refused(&["Item"], (2, "http.no_token", "token = { env"));
    assert_eq!(asked.item()["generation"], 1, "nothing of it was done");

    asked.world.run("INSERT INTO item VALUES (1000, 'N', 'new', 1)");
    asked.world.await_records(41);
    assert_eq!(bridge.stop().code, 0);
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    let (code, answer) = asked.post(TOKEN, r#"{"action":"tell","entities":["Item"]}"#);
    assert!(code == "403" && answer.contains("http.no_token"), "{answer}");
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_pause_outlasts_a_kill_and_a_cancel_ends_it() {
    const ROWS: u32 = 2_000;
    let Some(asked) = Asked::new("paused", 2_000, 4) else {
        return;
    };
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    until("some rows are told", || asked.item()["rows"].as_u64() > Some(0));
    assert_eq!(asked.backfill(&["Item", "--pause"]), "Item: generation 1 pauses\n");
    let item = asked.item();
    let rows = item["rows"].as_u64().unwrap();
    assert!(item["state"] == "paused" && rows < u64::from(ROWS), "{item}");
    // Killed.
    drop(bridge);
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    // Longer than a start waits before it reads old rows.
    std::thread::sleep(Duration::from_secs(3));
    let item = asked.item();
    assert_eq!((&item["state"], item["rows"].as_u64()), (&"paused".into(), Some(rows)));
    assert_eq!(asked.told()[&1].len(), usize::try_from(rows).unwrap());
    let remaining = u64::from(ROWS) - rows;
    assert_eq!(
        asked.remaining_metric(),
        Some(remaining.to_string()),
        "right from the start on"
    );
    asked.refused(&["Item"], (1, "backfill.under_way", "--cancel"));

    assert_eq!(asked.backfill(&["Item", "--resume"]), "Item: generation 1 goes on\n");
    asked.await_state(1, "complete");
    assert_eq!(asked.told()[&1], (1..=ROWS).collect::<Vec<_>>(), "each row once");
    assert_eq!(asked.remaining_metric(), None);

    assert_eq!(asked.backfill(&["Item"]), "Item: generation 2 begins\n");
    asked.refused(&["Item"], (1, "backfill.under_way", "--cancel"));
    until("some rows are told", || asked.item()["rows"].as_u64() > Some(0));
    assert_eq!(asked.backfill(&["Item", "--cancel"]), "Item: generation 2 ends here\n");
    let item = asked.item();
    let rows = usize::try_from(item["rows"].as_u64().unwrap()).unwrap();
    assert_eq!(item["state"], "cancelled");
    assert_eq!(asked.backfill(&["Item"]), "Item: generation 3 begins\n");
    asked.await_state(3, "complete");
    let told = asked.told();
    assert_eq!(
        (told[&2].len(), &told[&3]),
        (rows, &told[&1]),
        "all from the first row on"
    );
    assert!(rows < told[&1].len(), "it ended before its end");
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn a_condition_tells_some_rows_again() {
    let Some(asked) = Asked::new("some", 120, 50) else {
        return;
    };
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    asked.await_state(1, "complete");
    assert_eq!(
        asked.backfill(&["Item", "--where", "id <= 7"]),
        "Item: generation 2 begins\n"
    );
    asked.await_state(2, "complete");
    let (code, answer) = asked.post(
        TOKEN,
        r#"{"action":"tell","entities":["Item"],"where":"id between 30 and 32"}"#,
    );
    assert_eq!(code, "200", "{answer}");
    asked.await_state(3, "complete");
    let expected = BTreeMap::from([(1, (1..=120).collect()), (2, (1..=7).collect()), (3, vec![30, 31, 32])]);
    assert_eq!(asked.told(), expected);
    let table = asked.backfill(&["Item", "--status"]);
    let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        words,
        ["Item", "3", "complete", "3", "some", "of", "120", "-", "-"],
        "{table}"
    );
    assert_eq!(bridge.stop().code, 0);
}

#[test]
fn rows_that_cannot_be_chosen_end_what_was_asked_for_and_nothing_else() {
    let Some(mut asked) = Asked::new("uncomputable", 20, 50) else {
        return;
    };
    asked.world.run("INSERT INTO item VALUES (100, 'N', 'none', 0)");
    let mut bridge = asked.world.start();
    bridge.await_ready("streaming");
    asked.await_state(1, "complete");
    let condition = ["Item", "--where", "100 / amt > 2"];
    assert_eq!(asked.backfill(&condition), "Item: generation 2 begins\n");
    asked.await_state(2, "cancelled");

    asked.world.run("INSERT INTO item VALUES (1000, 'N', 'new', 1)");
    asked.world.await_records(22);
    assert_eq!(asked.backfill(&["Item"]), "Item: generation 3 begins\n");
    asked.await_state(3, "complete");
    let ended = bridge.stop();
    assert_eq!(ended.code, 0, "{ended}");
    assert!(
        ended.err.contains("backfill.condition") || ended.err.contains("of Item"),
        "{ended}"
    );
}
