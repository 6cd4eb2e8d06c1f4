//! The files in `config/`: each loads, and what the reference says of later keys is so.

use std::path::{Path, PathBuf};

use crate::config::file::report::Secrets;
use crate::config::{Colour, load_with, render};
use crate::finding::{Finding, Severity};

use super::{asking_files, no_variables, written};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

#[test]
fn every_example_loads() {
    for name in ["reference.toml", "shop.toml", "crm.toml", "warehouse.toml"] {
        let loaded = load_with(&example(name), Secrets::Later, &no_variables);
        let loaded = loaded.map_err(|invalid| invalid.findings).unwrap();
        let only_secrets =
            |finding: &Finding| ["config.secret", "config.root_cert", "config.client_cert"].contains(&finding.code);
        assert!(
            loaded.warnings.iter().all(only_secrets),
            "{name}: {:?}",
            loaded.warnings
        );
    }
}

#[test]
fn every_key_whose_time_has_not_come_is_refused_by_name() {
    let reference = std::fs::read_to_string(example("reference.toml")).unwrap();
    let lines: Vec<&str> = reference.lines().collect();
    let later: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("#~ ")).collect();
    assert!(!later.is_empty());
    for at in later {
        let line = lines[at].trim_start_matches("#~ ");
        let key = line.split(" = ").next().unwrap();
        // The line takes the place of the one that it is an alternative to.
        let mut text: Vec<&str> = Vec::new();
        for (index, other) in lines.iter().enumerate() {
            let is_same = line.contains(" = ") && other.split(" = ").next() == Some(key) && at.abs_diff(index) < 5;
            let is_include = other.starts_with("include");
            text.push(if index == at {
                line
            } else if is_same || is_include {
                ""
            } else {
                other
            });
        }
        let mut text = text.join("\n");
        if line.starts_with("mirror") {
            text = format!("{line}\n{}", text.replace(line, ""));
        }
        let invalid = written(&[("walbridge.toml", &text)], Secrets::Later).unwrap_err();
        let errors: Vec<String> = invalid
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| render(finding, &invalid.sources, Colour::No))
            .collect();
        assert_eq!(errors.len(), 1, "{line}: {errors:#?}");
        assert!(errors[0].contains("not yet supported"), "{line}: {errors:#?}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let reference = std::fs::read_to_string(example("reference.toml")).unwrap();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let named: Vec<&str> = reference.split(|letter| !is_part(letter)).collect();
    let mut asked = 0;
    for text in asking_files() {
        let text: String = text.split_whitespace().collect();
        for call in [
            "section.take(\"",
            "bridge.take(\"",
            ".need(\"",
            "section.not_yet(\"",
            "main.section(\"",
        ] {
            for key in text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(named.contains(&key), "{key} is not in config/reference.toml");
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked}");
}
