//! The tutorial is what it says: its commands are run, and its outputs come.

use std::path::Path;
use std::process::{Command, Stdio};

use walbridge::source::postgres::settings::{Tls, Trust};
use walbridge::source::postgres::sql::Sql;

/// What is typed, and what must come of it.
struct Step {
    typed: String,
    shown: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    let mut fence = None;
    for line in page.lines() {
        match (fence, line) {
            (None, "```sh") => {
                fence = Some("sh");
                found.push(Step {
                    typed: String::new(),
                    shown: Vec::new(),
                });
            }
            (None, "```text") => fence = Some("text"),
            (Some(_), "```") => fence = None,
            (Some("sh"), line) => found.last_mut().unwrap().typed += &format!("{line}\n"),
            (Some(_), line) => found.last_mut().unwrap().shown.push(line.to_owned()),
            (None, _) => {}
        }
    }
    found
}

/// Whether a line is as it is shown: `…` stands for anything.
fn is_like(line: &str, shown: &str) -> bool {
    let Some((first, parts)) = shown.split_once('…') else {
        return line == shown;
    };
    let (middle, last) = parts.rsplit_once('…').unwrap_or(("", parts));
    let Some(mut rest) = line.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    middle.split('…').all(|part| {
        let at = rest.find(part);
        rest = at.map_or("", |at| &rest[at + part.len()..]);
        at.is_some()
    })
}

#[test]
fn a_line_is_compared_but_for_what_differs() {
    assert!(is_like("a 12 b", "a … b") && is_like("a 12 b", "a …") && is_like("x a", "…a"));
    assert!(!is_like("a 12 c", "a … b") && !is_like("a b c", "a b") && !is_like("b", "a…"));
}

/// What the reader writes into the config by hand: where his own Kafka is.
fn with_brokers(typed: &str, name: &str, kafka: &str) -> String {
    let written = format!("--out {name}.toml\n");
    typed.replace(
        &written,
        &format!("{written}sed -i 's/localhost:9092/{kafka}/' {name}.toml\n"),
    )
}

#[test]
fn what_the_tutorial_says_is_so() {
    let (Ok(postgres), Ok(kafka), Ok(libs)) = (
        std::env::var("WALBRIDGE_TEST_PG"),
        std::env::var("WALBRIDGE_TEST_KAFKA"),
        std::env::var("WALBRIDGE_TEST_KAFKA_LIBS"),
    ) else {
        eprintln!("skipped: WALBRIDGE_TEST_PG, WALBRIDGE_TEST_KAFKA or WALBRIDGE_TEST_KAFKA_LIBS is not set");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = tempfile::tempdir().unwrap();
    let consumer = format!(
        "#!/bin/sh\nexec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '{libs}' org.apache.kafka.tools.consumer.ConsoleConsumer \"$@\"\n"
    );
    std::fs::write(home.path().join("kafka-console-consumer.sh"), consumer).unwrap();
    let server = postgres.rsplit_once('@').unwrap().1.split('/').next().unwrap();
    let page = std::fs::read_to_string(root.join("docs/tutorial.md")).unwrap();
    // Of a name of its own: the position in Kafka outlives the database.
    let name = format!("shop{}", std::process::id());
    let page = page
        .replace("localhost:5432", server)
        .replace("localhost:9092", &kafka)
        .replace("shop", &name);
    let mut script = format!(
        "set -e\nchmod +x *.sh\nPATH=.:{}:$PATH\n",
        Path::new(env!("CARGO_BIN_EXE_walbridge")).parent().unwrap().display()
    );
    let steps = steps(&page);
    for (number, step) in steps.iter().enumerate() {
        script += &format!("echo '=== {number}'\n{}", with_brokers(&step.typed, &name, &kafka));
    }
    std::fs::write(home.path().join("typed.sh"), script).unwrap();
    let done = Command::new("bash")
        .args(["-m", "-c", "bash -m typed.sh 2>&1"])
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut admin = Sql::connect_as(&postgres, &Trust::of(Tls::Disable)).unwrap();
    // Its slot goes with it.
    let cleared = admin.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    let log = std::fs::read_to_string(home.path().join("bridge.log")).unwrap_or_default();
    assert!(done.status.success(), "{said}\n{log}");
    for (number, step) in steps.iter().enumerate() {
        let part = said.split(&format!("=== {number}\n")).nth(1).unwrap();
        let part = part.split(&format!("=== {}\n", number + 1)).next().unwrap();
        let mut lines = part.lines();
        for shown in &step.shown {
            assert!(
                lines.any(|line| is_like(line, shown)),
                "no line as\n{shown}\nin its turn in\n{part}\n{log}"
            );
        }
    }
    cleared.unwrap();
    let slots = "SELECT slot_name::text FROM pg_replication_slots WHERE slot_name = $1";
    let left = admin.ask(slots, &[&format!("walbridge_{name}")]).unwrap();
    assert!(left.is_empty(), "the tutorial's slot is left");
}
