//! Secrets: named by where they are kept, never printed, read when they are needed and again when they are refused.

use std::fmt;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Where a secret is kept. It never holds the secret itself; one line break at the end of what is there is no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// What a program prints, such as a token that is good for minutes; the program, and its arguments.
    Command(Vec<String>),
}

/// How long a program may take to print a secret.
const COMMAND_MAX: Duration = if cfg!(test) {
    Duration::from_secs(1)
} else {
    Duration::from_secs(10)
};

/// How often it is asked whether it has ended.
const COMMAND_LOOK: Duration = Duration::from_millis(5);

/// The longest secret that a program may print.
const COMMAND_BYTES_MAX: u64 = 64 << 10;

/// A secret that has been read: no `Debug` or `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(String);

/// How a secret looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A password, a token, a key of ids.
    OneLine,
    /// A key or certificate in PEM.
    Lines,
}

impl Revealed {
    /// What was found at a place, without the line break at its end.
    ///
    /// A second line is a comment, another secret, or what a program says beside the secret; whoever took it all would be refused
    /// by a server that cannot say why, or make other ids. A NUL byte ends a password in C.
    ///
    /// # Errors
    /// Where it cannot be meant: it is empty, of blanks only, has a NUL byte, or more lines than its shape.
    pub fn of(found: &str, place: &str, shape: Shape) -> Result<Self, SecretError> {
        let text = without_break(found);
        let wrong = match text {
            "" => SecretError::Empty,
            text if text.trim().is_empty() => SecretError::Blank,
            text if text.contains('\0') => SecretError::Nul,
            text if shape == Shape::OneLine && text.contains(['\n', '\r']) => SecretError::Lines,
            text => return Ok(Self(text.to_owned())),
        };
        Err(wrong(place.to_owned()))
    }

    /// The secret, to be handed to the server and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A secret that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("cannot read the environment variable {0}: it is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read the secret file {path}: {source}", path = path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing is there: a file that is not mounted yet, a variable that was set to nothing.
    #[error("{0} holds no secret: it is empty")]
    Empty(String),
    /// Only blanks are there.
    #[error("{0} holds nothing but blanks")]
    Blank(String),
    /// A NUL byte is there, which no password can have.
    #[error("{0} holds a NUL byte, which no secret can have")]
    Nul(String),
    /// More than the secret is there.
    #[error("{0} holds more than one line")]
    Lines(String),
    /// The program gives none.
    #[error("cannot get a secret from the program {program}: {why}")]
    Command {
        /// Its name, without arguments, which may be secret themselves.
        program: String,
        /// Why.
        why: String,
    },
}

impl SecretError {
    /// What an operator can do about it.
    pub fn repair(&self) -> String {
        match self {
            Self::Unset(name) => {
                format!("set {name} in the environment of walbridge, or name where else the secret is kept")
            }
            Self::Empty(_) | Self::Blank(_) => "put the secret there, and start again".to_owned(),
            Self::Nul(_) | Self::Lines(_) => {
                "keep the secret there alone, as text in one line; one line break at its end is no part of it"
                    .to_owned()
            }
            Self::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::InvalidData => {
                "keep the secret there as text in UTF-8".to_owned()
            }
            Self::Unreadable { .. } => "put the file there, and let the user that walbridge runs as read it".to_owned(),
            Self::Command { program, .. } => {
                format!("run {program} by hand, as the user that walbridge runs as: it is to print the secret and end")
            }
        }
    }

    fn command(program: &str, why: impl fmt::Display) -> Self {
        Self::Command {
            program: program.to_owned(),
            why: why.to_string(),
        }
    }
}

impl Secret {
    /// Reads it now: one line.
    ///
    /// # Errors
    /// Where the variable is not set, the file cannot be read, what is there is no secret, or the program fails, prints nothing,
    /// or takes longer than 10 s.
    pub fn read(&self) -> Result<Revealed, SecretError> {
        self.read_as(Shape::OneLine)
    }

    /// Reads it now.
    ///
    /// # Errors
    /// As [`Secret::read`].
    pub fn read_as(&self, shape: Shape) -> Result<Revealed, SecretError> {
        match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => Revealed::of(&text, &variable(name), shape),
                Err(_) => Err(SecretError::Unset(name.clone())),
            },
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Revealed::of(&text, &format!("the secret file {}", path.display()), shape),
                Err(source) => Err(SecretError::Unreadable {
                    path: path.clone(),
                    source,
                }),
            },
            Self::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                let printed = printed(words)?;
                if without_break(&printed).is_empty() {
                    return Err(SecretError::command(program, "it printed nothing"));
                }
                Revealed::of(&printed, &format!("what the program {program} printed"), shape)
            }
        }
    }
}

/// An environment variable, in words.
pub fn variable(name: &str) -> String {
    format!("the environment variable {name}")
}

fn without_break(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text).trim_end_matches('\r')
}

/// Runs a program, without a shell; what it says on stderr goes where ours goes.
fn printed(words: &[String]) -> Result<String, SecretError> {
    let program = words.first().map_or("", String::as_str);
    let failed = |error: std::io::Error| SecretError::command(program, error);
    let until = Instant::now() + COMMAND_MAX;
    let mut child = Command::new(program)
        .args(words.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let pipe = child.stdout.take();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = pipe.map(|pipe| pipe.take(COMMAND_BYTES_MAX).read_to_string(&mut text));
        // Nobody waits any more after the time is over.
        drop(tell.send(read.transpose().map(|_| text)));
    });
    let Some(status) = ended(&mut child, until).map_err(failed)? else {
        // With whatever it has begun itself, such as the second half of a shell's line.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
        child.wait().map_err(failed)?;
        return Err(SecretError::command(
            program,
            format!("it took longer than {} s", COMMAND_MAX.as_secs()),
        ));
    };
    if !status.success() {
        return Err(SecretError::command(program, format!("it ended with {status}")));
    }
    told.recv_timeout(until.saturating_duration_since(Instant::now()))
        .map_err(|_| SecretError::command(program, "something that it left running keeps its output open"))?
        .map_err(failed)
}

/// How it ended; none: not until then.
fn ended(child: &mut Child, until: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(COMMAND_LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_its_file_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "hunter2\n").unwrap();
        let secret = Secret::File(path).read().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{secret:?}"), "(secret)");
    }

    #[test]
    fn a_secret_that_is_empty_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        std::fs::write(&path, "\n").unwrap();
        let error = Secret::File(path).read().unwrap_err();
        assert!(
            error.to_string().ends_with("pw holds no secret: it is empty"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_no_text_is_not_looked_for_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pw");
        let repair = |path: PathBuf| Secret::File(path).read().unwrap_err().repair();
        assert!(repair(path.clone()).contains("put the file there"));
        std::fs::write(&path, b"hunter\xff\n").unwrap();
        assert!(repair(path).contains("text in UTF-8"));
    }

    #[test]
    fn a_secret_is_what_a_program_prints() {
        let of = |words: &[&str]| Secret::Command(words.iter().map(|word| (*word).to_owned()).collect()).read();
        assert_eq!(of(&["printf", "%s\\n", "a b"]).unwrap().expose(), "a b");
        // No shell is in between.
        assert_eq!(of(&["printf", "%s", "$HOME"]).unwrap().expose(), "$HOME");
        let why = |words: &[&str]| of(words).unwrap_err().to_string();
        assert!(why(&["false"]).contains("exit status: 1"));
        assert!(why(&["true"]).ends_with("it printed nothing"));
        assert!(why(&["no-such-program"]).starts_with("cannot get a secret from the program no-such-program: "));
    }

    #[test]
    fn a_program_that_takes_too_long_holds_nothing_up() {
        let of = |line: &str| {
            let words = ["sh", "-c", line].map(str::to_owned);
            Secret::Command(words.to_vec())
                .read()
                .map_err(|error| error.to_string())
        };
        let begun = Instant::now();
        let dir = tempfile::tempdir().unwrap();
        let late = dir.path().join("late");
        let slow = format!("(sleep 1.5; touch {}) & sleep 60", late.display());
        assert!(of(&slow).unwrap_err().ends_with("longer than 1 s"));
        assert!(of("echo x; sleep 60 &").unwrap_err().contains("left running"));
        assert!(of("echo x; sleep 60 >&- &").is_ok());
        assert!(begun.elapsed() < Duration::from_secs(10));
        // What it had begun ended with it.
        assert!(!late.exists());
    }
}
