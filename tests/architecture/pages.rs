//! The texts of the project, by their paths.

use std::fs;
use std::path::{Path, PathBuf};

/// A text of the project, by its path from the project's root.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The room a file of `src/` belongs to.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        Some(inside.split('/').next()?.trim_end_matches(".rs"))
    }

    /// Lines that are no comment, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn collect(root: &Path, folder: &Path, wanted: &dyn Fn(&Path) -> bool, pages: &mut Vec<Page>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, wanted, pages);
        } else if wanted(&path) {
            // A file that is no text has no lines to judge.
            if let Ok(text) = fs::read_to_string(&path) {
                let inside = path.strip_prefix(root).unwrap_or(&path);
                pages.push(Page {
                    path: inside.to_string_lossy().replace('\\', "/"),
                    text,
                });
            }
        }
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn rust_in(folders: &[&str]) -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in folders {
        let is_rust = |path: &Path| path.extension().is_some_and(|end| end == "rs");
        collect(root(), &root().join(folder), &is_rust, &mut pages);
    }
    assert!(!pages.is_empty(), "no files found in {folders:?}");
    pages
}

/// Everything people and machines read, but for what the build makes.
pub(crate) fn every_text() -> Vec<Page> {
    let mut pages = Vec::new();
    let is_text =
        |path: &Path| path.extension().is_none_or(|end| end != "lock" && end != "pyc") && !path.ends_with(".git");
    for folder in [
        "src",
        "tests",
        "config",
        "dev",
        "docs",
        "docker",
        "migrations",
        "bench",
        "fuzz",
        ".ci",
        "examples",
    ] {
        let skipped = |path: &Path| is_text(path) && !path.components().any(|part| part.as_os_str() == "target");
        collect(root(), &root().join(folder), &skipped, &mut pages);
    }
    let entries = fs::read_dir(root()).into_iter().flatten().flatten();
    for path in entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file() && is_text(path))
    {
        if let (Ok(text), Some(name)) = (fs::read_to_string(&path), path.file_name()) {
            pages.push(Page {
                path: name.to_string_lossy().into_owned(),
                text,
            });
        }
    }
    pages
}
