//! What commands print. A reader that goes away (`| head`) is no fault, and never ends a set-up half done.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A line on stdout.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::to_stdout(format_args!($($text)*)) };
}
/// A line on stderr.
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::say::to_stderr(format_args!($($text)*)) };
}
pub(super) use {complain, say};

/// Something was printed nowhere though somebody may wait for it, as on a full disk.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// Whether what was printed is incomplete.
pub(super) fn is_incomplete() -> bool {
    UNSAID.load(Ordering::Relaxed)
}

pub(super) fn to_stdout(text: fmt::Arguments<'_>) {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe && !UNSAID.swap(true, Ordering::Relaxed) => {
            complain!("cannot write to stdout: {error}");
        }
        Ok(()) | Err(_) => {}
    }
}

pub(super) fn to_stderr(text: fmt::Arguments<'_>) {
    // Where this fails, nobody is left to tell.
    drop(writeln!(io::stderr(), "{text}"));
}
