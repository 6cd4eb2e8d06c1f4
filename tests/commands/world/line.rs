//! The program at work: started, looked at, ended; and what it said.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::world::program;

/// Nothing here takes so long on a machine that is not stuck.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// What an orchestrator waits for after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n{}\n{}", self.code, self.out, self.err)
    }
}

impl Ended {
    /// It ended with this code; its last line names the finding and says all of this.
    pub(crate) fn says(&self, code: i32, finding: &str, parts: &[&str]) {
        assert_eq!(self.code, code, "{self}");
        let last = self.err.trim_end().lines().last().unwrap_or_default();
        assert!(
            last.contains(&format!("[{finding}]")),
            "{finding} is not in: {last}\n{self}"
        );
        for part in parts {
            assert!(last.contains(part), "{part} is not in: {last}");
        }
    }

    /// The same of a command that does not log as text: its last line is a document.
    pub(crate) fn says_json(&self, code: i32, finding: &str, repair: &str) {
        assert_eq!(self.code, code, "{self}");
        let last = self.err.trim_end().lines().last().unwrap_or_default();
        let last: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self}"));
        assert_eq!(last["code"], finding, "{self}");
        assert!(
            last["repair"].as_str().is_some_and(|text| text.contains(repair)),
            "{self}"
        );
    }

    /// A place in the config is shown: file, line, and a caret under it.
    pub(crate) fn shows(&self, line: &str) {
        let shown: Vec<&str> = self.err.lines().skip_while(|one| !one.contains(line)).collect();
        assert!(self.err.contains("bridge.toml:"), "no place\n{self}");
        assert!(
            shown.get(1).is_some_and(|under| under.contains('^')),
            "no caret under {line}\n{self}"
        );
    }
}

/// Runs a command to its end.
pub(crate) fn finished(program: &mut Command) -> Ended {
    let done = program.stdin(Stdio::null()).output().unwrap();
    Ended {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// A bridge at work; killed when it is dropped.
pub(crate) struct Bridge {
    child: Child,
    log: PathBuf,
}

/// Each start has a log of its own.
static STARTS: AtomicU32 = AtomicU32::new(0);

impl Bridge {
    pub(crate) fn start(home: &Path, config: &Path, more: &[&str]) -> Self {
        let log = home.join(format!("log-{}", STARTS.fetch_add(1, Ordering::Relaxed)));
        let child = program()
            .args(["run", "--log", "text", "-c"])
            .arg(config)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until its log holds this.
    pub(crate) fn await_word(&mut self, word: &str) -> &mut Self {
        until(word, || {
            self.said().contains(word) || self.child.try_wait().unwrap().is_some()
        });
        assert!(self.said().contains(word), "{word} is not in:\n{}", self.said());
        self
    }

    /// Waits until an orchestrator would call it ready, and it is in this state.
    pub(crate) fn await_ready(&mut self, state: &str) -> &mut Self {
        let address = self.address();
        until(state, || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended:\n{}", self.said());
            get(&address, "/readyz").starts_with("HTTP/1.1 200") && get(&address, "/status").contains(state)
        });
        self
    }

    /// What it says to an orchestrator that asks whether it is ready.
    pub(crate) fn readiness(&mut self) -> String {
        get(&self.address(), "/readyz")
    }

    /// Where it answers.
    fn address(&mut self) -> String {
        self.await_word("http=");
        let said = self.said();
        let (_, after) = said.split_once("http=").unwrap();
        after.split_whitespace().next().unwrap().to_owned()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(mut self) -> Ended {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < WAIT_MAX, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ended {
            code: self.child.wait().unwrap().code().unwrap_or(-1),
            out: String::new(),
            err: self.said(),
        }
    }

    /// SIGTERM; it must end in time.
    pub(crate) fn stop(self) -> Ended {
        signal(self.child.id(), "TERM");
        let begun = Instant::now();
        let ended = self.ended();
        assert!(begun.elapsed() < STOP_MAX, "{:?} to stop\n{ended}", begun.elapsed());
        ended
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn signal(id: u32, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &id.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// An answer over HTTP, head and all; empty where there is none.
fn get(address: &str, path: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
        if stream.write_all(request.as_bytes()).is_ok() {
            drop(stream.read_to_string(&mut answer));
        }
    }
    answer
}

/// Looks again and again until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < WAIT_MAX,
            "not within {} s: {what}",
            WAIT_MAX.as_secs()
        );
        std::thread::sleep(Duration::from_millis(30));
    }
}
