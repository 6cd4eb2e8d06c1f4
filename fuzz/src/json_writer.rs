use walbridge::flow::event::Value;

/// A text is written as `serde_json` writes it.
pub fn json_writer(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut out = Vec::new();
    Value::Text(bytes).append_json(&mut out);
    assert_eq!(out, serde_json::to_vec(text).expect("JSON"));
}
