//! Secrets: named by where they are kept, never printed, read when they are needed and again when they are refused.

use std::fmt;
use std::path::PathBuf;

/// Where a secret is kept. It never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; one line break at its end is no part of the secret.
    File(PathBuf),
}

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
}

impl Secret {
    /// Reads it now.
    ///
    /// # Errors
    /// Where the variable is not set or the file cannot be read.
    pub fn read(&self) -> Result<Revealed, SecretError> {
        match self {
            Self::Env(name) => std::env::var(name)
                .map(Revealed)
                .map_err(|_| SecretError::Unset(name.clone())),
            Self::File(path) => std::fs::read_to_string(path)
                .map(|text| {
                    Revealed(
                        text.strip_suffix('\n')
                            .unwrap_or(&text)
                            .trim_end_matches('\r')
                            .to_owned(),
                    )
                })
                .map_err(|source| SecretError::Unreadable {
                    path: path.clone(),
                    source,
                }),
        }
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
}
