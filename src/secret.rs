//! Secrets: named by where they are kept, never printed, read when they are needed and again when they are refused.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where a secret is kept. It never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; one line break at its end is no part of the secret.
    File(PathBuf),
    /// What a program prints, such as a token that is good for minutes; the program, and its arguments.
    Command(Vec<String>),
}

/// How long a program may take to print a secret.
const COMMAND_MAX: Duration = Duration::from_secs(10);

/// How often it is asked whether it has ended.
const COMMAND_LOOK: Duration = Duration::from_millis(5);

/// The longest secret that a program may print.
const COMMAND_BYTES_MAX: u64 = 64 << 10;

/// A secret that has been read: no `Debug` or `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(String);

impl Revealed {
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
    #[error("cannot read the secret file {path}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
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
    fn command(program: &str, why: impl fmt::Display) -> Self {
        Self::Command {
            program: program.to_owned(),
            why: why.to_string(),
        }
    }
}

impl Secret {
    /// Reads it now.
    ///
    /// # Errors
    /// Where the variable is not set, the file cannot be read, or the program fails, prints nothing, or takes longer
    /// than 10 s.
    pub fn read(&self) -> Result<Revealed, SecretError> {
        match self {
            Self::Env(name) => std::env::var(name)
                .map(Revealed)
                .map_err(|_| SecretError::Unset(name.clone())),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| Revealed(without_break(&text)))
                .map_err(|source| SecretError::Unreadable {
                    path: path.clone(),
                    source,
                }),
            Self::Command(words) => command(words),
        }
    }
}

fn without_break(text: &str) -> String {
    text.strip_suffix('\n')
        .unwrap_or(text)
        .trim_end_matches('\r')
        .to_owned()
}

/// Runs a program, without a shell; what it says on stderr goes where ours goes.
fn command(words: &[String]) -> Result<Revealed, SecretError> {
    let program = words.first().map_or("", String::as_str);
    let failed = |error: std::io::Error| SecretError::command(program, error);
    let mut child = Command::new(program)
        .args(words.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let printed = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let read = printed.map(|pipe| pipe.take(COMMAND_BYTES_MAX).read_to_string(&mut text));
        read.transpose().map(|_| text)
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if begun.elapsed() < COMMAND_MAX => std::thread::sleep(COMMAND_LOOK),
            None => {
                child.kill().map_err(failed)?;
                child.wait().map_err(failed)?;
                return Err(SecretError::command(program, "it took longer than 10 s"));
            }
        }
    };
    if !status.success() {
        return Err(SecretError::command(program, format!("it ended with {status}")));
    }
    let text = reader
        .join()
        .map_err(|_| SecretError::command(program, "what it printed was lost"))?
        .map_err(failed)?;
    match without_break(&text) {
        text if text.is_empty() => Err(SecretError::command(program, "it printed nothing")),
        text => Ok(Revealed(text)),
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
}
