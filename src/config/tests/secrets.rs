//! Secrets that hold more, or less, than a secret.

use crate::config::file::report::Secrets;
use crate::config::{Loaded, load_with};
use crate::finding::Finding;
use crate::sink::kafka::settings::Property;

use super::{GOOD, bad, bad_files, written};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

fn refused(kept: &str, said: &str) {
    let text = GOOD.replace("[kafka]", "password = { file = \"pw\" }\n[kafka]");
    let (findings, drawn) = bad_files(&[("walbridge.toml", &text), ("pw", kept)]);
    assert_eq!(findings.len(), 1, "{drawn}");
    assert_eq!(findings[0].code, "config.secret");
    assert!(findings[0].what.contains(said), "{drawn}");
    assert!(drawn.contains("walbridge.toml:5:12"), "{drawn}");
    assert!(findings[0].repair.is_some() && !drawn.contains("hunter2"), "{drawn}");
}

#[test]
fn a_secret_of_a_file_is_one_line_with_something_in_it() {
    refused("hunter2\nother\n", "pw holds more than one line");
    refused("hunter2\n\n", "pw holds more than one line");
    refused(" \t\n", "pw holds nothing but blanks");
    refused("hunter2\0\n", "pw holds a NUL byte");
}

#[test]
fn what_a_program_prints_for_a_secret_is_one_line() {
    let (findings, drawn) = bad(
        "[kafka]",
        "password = { command = [\"printf\", \"hunter%s\\\\nok\\\\n\", \"2\"] }\n[kafka]",
    );
    assert_eq!(findings.len(), 1, "{drawn}");
    let said = "what the program printf printed holds more than one line";
    assert!(drawn.contains(said), "{drawn}");
}

fn loaded(property: &str, variable: &str) -> Result<Loaded, Vec<Finding>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("walbridge.toml");
    let text = GOOD.replace("[backfill]", &format!("[kafka.properties]\n{property}\n[backfill]"));
    std::fs::write(&path, text).unwrap();
    let of = |_: &str| Some(variable.to_owned());
    load_with(&path, Secrets::Needed, &of).map_err(|invalid| invalid.findings)
}

#[test]
fn a_variable_in_the_place_of_a_secret_is_one_line_too() {
    for variable in ["hunter2\nother", " ", "", "hunter2\0"] {
        let found = loaded("sasl.password = \"${PW}\"", variable).unwrap_err();
        assert_eq!(found.len(), 1, "{variable:?}: {found:#?}");
        assert_eq!(found[0].code, "config.secret");
        assert!(found[0].what.contains("the environment variable PW"), "{found:#?}");
        assert!(found[0].place.is_some() && found[0].repair.is_some());
    }
    let config = loaded("sasl.password = \"${PW}\"", "hunter2\n").unwrap().config;
    let property = &config.kafka.properties[0].1;
    assert_eq!(*property, Property::Text("hunter2".to_owned()));
}

#[test]
fn keys_and_certificates_keep_their_lines() {
    let of = |property: &str| loaded(property, PEM).map(|loaded| loaded.config.kafka.properties);
    for name in ["ssl.key.pem", "ssl.certificate.pem", "ssl.ca.pem"] {
        let found = of(&format!("{name} = \"${{PEM}}\"")).unwrap();
        let Property::Text(text) = &found[0].1 else {
            panic!("{name} is not what the variable holds")
        };
        assert!(text.starts_with(PEM.trim_end()), "{name}");
    }
    let text = GOOD.replace(
        "[backfill]",
        "[kafka.properties]\nssl.key.pem = { file = \"key\" }\nsecurity.protocol = \"ssl\"\n[backfill]",
    );
    let files = [("walbridge.toml", text.as_str()), ("key", PEM)];
    let found = written(&files, Secrets::Needed)
        .map_err(|invalid| invalid.findings)
        .unwrap();
    assert!(found.warnings.iter().all(|finding| finding.code != "config.secret"));
}
