//! What must hold of any bytes holds of those that `fuzz/corpus` keeps, and of others near them. `dev/fuzz` looks for more.

#![allow(clippy::unwrap_used, reason = "a test says by a panic what went wrong")]

#[allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a crate of its own, which `dev/fuzz` builds; a panic is how it says no"
)]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A function that panics at bytes of which something does not hold, and the name of its folder.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("decode_message", fuzz::decode_message),
    ("decode_value", fuzz::decode_value),
    ("expression", fuzz::expression),
    ("json_writer", fuzz::json_writer),
    ("load_config", fuzz::load_config),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// What is kept for each target, in their order.
static KEPT: LazyLock<Vec<Vec<Vec<u8>>>> = LazyLock::new(|| TARGETS.iter().map(|(target, _)| kept(target)).collect());

fn kept(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = files(&root.join("fuzz/corpus").join(target));
    if target == "load_config" {
        all.extend(files(&root.join("config")));
    }
    assert!(all.len() > 3, "{target} has a corpus");
    all.iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn all_that_is_kept_holds_also_where_it_is_cut_off() {
    for ((_, holds), kept) in TARGETS.iter().zip(KEPT.iter()) {
        for bytes in kept {
            let step = bytes.len() / 100 + 1;
            for end in (0..bytes.len()).step_by(step) {
                holds(&bytes[..end]);
            }
            holds(bytes);
        }
    }
}

#[test]
fn every_target_is_tried_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let there: Vec<String> = files(&root.join("fuzz/fuzz_targets")).iter().map(named).collect();
    assert_eq!(there, TARGETS.map(|(target, _)| target));
}

proptest! {
    #[test]
    fn what_is_kept_holds_with_other_bytes(
        which in any::<Index>(),
        others in vec((any::<Index>(), any::<u8>()), 1..5),
    ) {
        for ((_, holds), kept) in TARGETS.iter().zip(KEPT.iter()) {
            let mut bytes = which.get(kept).clone();
            for (at, other) in &others {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *other;
                }
            }
            holds(&bytes);
        }
    }

    #[test]
    fn any_message_of_a_known_kind_holds(
        kind in prop::sample::select(b"BCORYIUDTM?".to_vec()),
        rest in vec(any::<u8>(), 0..80),
    ) {
        let message: Vec<u8> = std::iter::once(kind).chain(rest).collect();
        fuzz::decode_message(&message);
    }

    #[test]
    fn any_tuple_holds(columns in 0u16..6, rest in vec(prop::sample::select(b"nutKON\0\x01\x02".to_vec()), 0..40)) {
        let mut message = b"U\0\0\0\x07O".to_vec();
        message.extend(columns.to_be_bytes());
        message.extend(rest);
        fuzz::decode_message(&message);
    }

    #[test]
    fn any_bytes_hold(bytes in vec(any::<u8>(), 0..80)) {
        for (_, holds) in TARGETS {
            holds(&bytes);
        }
    }
}
