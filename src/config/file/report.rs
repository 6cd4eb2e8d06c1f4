//! Findings as they are collected, and what is asked of the surroundings meanwhile.

use std::path::{Path, PathBuf};

use crate::finding::{Finding, Place, Severity};

/// Which secrets and certificates a load reads, and what becomes of one that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Secrets {
    /// All, and it stops the load.
    Needed,
    /// Those of public ids; the others as [`Secrets::Later`].
    OfIds,
    /// Those in files and variables, and it is a warning. No program is run for one.
    Later,
    /// None.
    Unread,
}

/// Collects every finding of a load.
pub(in crate::config) struct Report<'a> {
    findings: Vec<Finding>,
    masks: Vec<Place>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    secrets: Secrets,
    base: PathBuf,
}

impl<'a> Report<'a> {
    /// An empty one; `base` is the folder that relative paths start from.
    pub(in crate::config) fn new(variable: &'a dyn Fn(&str) -> Option<String>, secrets: Secrets, base: &Path) -> Self {
        Self {
            findings: Vec::new(),
            masks: Vec::new(),
            variable,
            secrets,
            base: base.to_path_buf(),
        }
    }

    /// Adds a finding.
    pub(in crate::config) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// How many there are.
    pub(in crate::config) fn count(&self) -> usize {
        self.findings.len()
    }

    /// Takes back those from this one on.
    pub(in crate::config) fn take_from(&mut self, first: usize) -> Vec<Finding> {
        self.findings.split_off(first.min(self.findings.len()))
    }

    /// Adds a finding about a secret or certificate that cannot be read.
    pub(in crate::config) fn push_unreadable(&mut self, finding: Finding) {
        let severity = match self.secrets {
            Secrets::Needed => Severity::Error,
            Secrets::OfIds | Secrets::Later | Secrets::Unread => Severity::Warning,
        };
        self.push(Finding { severity, ..finding });
    }

    /// Which secrets this load reads.
    pub(in crate::config) fn secrets(&self) -> Secrets {
        self.secrets
    }

    /// Adds a finding about a literal secret, which no snippet may show.
    pub(in crate::config) fn push_masked(&mut self, finding: Finding) {
        if let Some(place) = &finding.place {
            self.mask(place);
        }
        self.push(finding);
    }

    /// Keeps what may be a secret out of every snippet.
    pub(in crate::config) fn mask(&mut self, place: &Place) {
        self.masks.push(place.clone());
    }

    /// An environment variable.
    pub(in crate::config) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    /// A path as written, from the folder of the config file.
    pub(in crate::config) fn path(&self, written: &str) -> PathBuf {
        self.base.join(written)
    }

    /// The findings, and the places that no snippet may show.
    pub(in crate::config) fn done(self) -> (Vec<Finding>, Vec<Place>) {
        (self.findings, self.masks)
    }
}
