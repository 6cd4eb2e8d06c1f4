//! Files that are no text.

use crate::config::file::report::Secrets;
use crate::config::load_with;

use super::{GOOD, no_variables};

#[test]
fn a_file_that_is_no_text_is_told_by_line_and_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("walbridge.toml");
    let mut bytes = b"# the shop\n# K\xf6ln\n".to_vec();
    bytes.extend(GOOD.bytes());
    std::fs::write(&path, bytes).unwrap();
    let found = load_with(&path, Secrets::Needed, &no_variables).unwrap_err().findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    let what = &found[0].what;
    assert!(
        what.contains("walbridge.toml: line 2 is not UTF-8 (byte 4 of the line)"),
        "{what}"
    );
    assert_eq!(found[0].place.as_ref().map(|place| place.line), Some(2));
    assert!(found[0].repair.as_ref().is_some_and(|repair| repair.contains("iconv")));
}
