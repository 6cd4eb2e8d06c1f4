use std::path::Path;

use walbridge::config::{Colour, Invalid, Loaded, read_offline, render};

/// A config is read, or refused with findings; each can be drawn.
pub fn load_config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // It would read files of this machine, wherever they are.
    if text.contains("include") {
        return;
    }
    let (findings, sources) = match read_offline(text, Path::new("walbridge.toml")) {
        Ok(Loaded { warnings, sources, .. }) => (warnings, sources),
        Err(Invalid { findings, sources }) => {
            assert!(!findings.is_empty(), "refused without a word");
            (findings, sources)
        }
    };
    for finding in &findings {
        assert!(!render(finding, &sources, Colour::No).is_empty());
    }
}
