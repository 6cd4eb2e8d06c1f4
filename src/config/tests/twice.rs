//! What stands in a file twice.

use super::{GOOD, bad_files};

#[test]
fn what_stands_twice_in_a_file_is_one_finding_that_names_both_places() {
    let again =
        "[entity.Order]\ntable = \"public.b\"\nkey = \"id\"\nstate_topic = \"b\"\n[entity.Order.fields]\nid = \"id\"\n";
    let (findings, drawn) = bad_files(&[("walbridge.toml", &format!("{GOOD}{again}"))]);
    assert_eq!(findings.len(), 1, "{drawn}");
    assert!(
        findings[0]
            .what
            .starts_with("entity.Order is declared twice: here and at "),
        "{drawn}"
    );
    assert!(findings[0].what.ends_with("walbridge.toml:9"), "{drawn}");
    assert_eq!(findings[0].place.as_ref().map(|place| place.line), Some(19), "{drawn}");
    assert!(findings[0].repair.is_some());
}

#[test]
fn a_key_that_stands_twice_names_the_first() {
    let text = GOOD.replace("key = \"number\"\n", "key = \"number\"\nkey = \"number\"\n");
    let (findings, drawn) = bad_files(&[("walbridge.toml", &text)]);
    assert_eq!(findings.len(), 1, "{drawn}");
    assert!(
        findings[0]
            .what
            .starts_with("entity.Order.key is declared twice: here and at "),
        "{drawn}"
    );
    assert!(findings[0].what.ends_with("walbridge.toml:11"), "{drawn}");
    assert_eq!(findings[0].place.as_ref().map(|place| place.line), Some(12), "{drawn}");
}
