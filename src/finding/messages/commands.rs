//! Of the commands themselves, and of how a run ends.

use crate::finding::Severity::Error;
use crate::finding::messages::{Message, says};

pub(super) const COMMANDS: &[Message] = &[
    says(
        "run.signals",
        &[Error],
        "the system does not let the program wait for signals",
        "nothing is started",
        "look at the limits of the process, then start again",
    ),
    says(
        "run.thread",
        &[Error],
        "a thread cannot be started",
        "nothing is started",
        "raise the limit of threads or memory, then start again",
    ),
    says(
        "run.panic",
        &[Error],
        "the program has a fault",
        "nothing of the open transaction is published; the position is what it was; exit 1",
        "start again, and report the lines above",
    ),
    says(
        "stdout.closed",
        &[Error],
        "whoever read the output of `sink = \"stdout\"` closed it",
        "the bridge halts; what was not written is told by the next start",
        "start again, with a reader that stays",
    ),
    says(
        "preview.ended",
        &[Error],
        "a server did not answer a preview",
        "nothing was written anywhere but to the screen; exit 3",
        "run it again",
    ),
    says(
        "init.out",
        &[Error],
        "`init` cannot write where `--out` says: the file is there already, or its folder cannot be written to",
        "nothing was written; no file is overwritten; exit 2",
        "name another file",
    ),
    says(
        "schema.unwritable",
        &[Error],
        "`schema --out` cannot write",
        "some of the files may be there, whole",
        "name a folder that may be written to",
    ),
    says(
        "setup.unfinished",
        &[Error],
        "a server stopped answering during `setup`",
        "what was done stays done, and nothing is half done; exit 3",
        "run it again",
    ),
    says(
        "recover.unfinished",
        &[Error],
        "a server stopped answering during `recover`",
        "either nothing was changed, or a bridge that is started now halts and names this command; exit 3",
        "run it again",
    ),
    says(
        "recover.unconfirmed",
        &[Error],
        "nobody said yes to a new epoch",
        "nothing was changed",
        "`walbridge recover -c FILE --yes`",
    ),
    says(
        "recover.moved",
        &[Error],
        "the position is another one than before the question",
        "nothing was changed: a bridge runs, or somebody else recovers it",
        "stop the bridge, then `walbridge recover`",
    ),
    says(
        "recover.no_position",
        &[Error],
        "`recover` is asked of a config whose sink is standard output",
        "nothing was changed: such a bridge keeps no position; exit 2",
        "take `sink` out of `[bridge]`",
    ),
    says(
        "recover.nothing",
        &[Error],
        "a bridge of this name never published anything",
        "nothing was changed: there is no history to go on from",
        "`walbridge setup --apply`, or `--adopt` where the slot is there",
    ),
    says(
        "recover.epochs_exhausted",
        &[Error],
        "the epoch was the last that a `sequence` can name",
        "nothing was changed: a higher one would not sort behind it",
        "another `name` in `[bridge]`, and topics of its own",
    ),
];
