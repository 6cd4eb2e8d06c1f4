//! Of old rows, `backfill.…`, and of requests to a running bridge, `http.…`.

use crate::finding::Severity::Error;
use crate::finding::messages::{Message, says};

pub(super) const BACKFILL: &[Message] = &[
    says(
        "backfill.unknown_entity",
        &[Error],
        "old rows are asked for of an entity that is not declared, or has none to tell",
        "nothing was done",
        "the message names the nearest, or all",
    ),
    says(
        "backfill.reconcile_some",
        &[Error],
        "a reload of some rows (`--where`) is to reconcile deletions",
        "nothing was done: what is not among those rows would look as if it was gone",
        "leave out `--where`, or `--delete reconcile`",
    ),
    says(
        "backfill.under_way",
        &[Error],
        "old rows of the entity are being told already",
        "nothing was done; what is under way goes on",
        "wait until it is complete, or end it with `--cancel`",
    ),
    says(
        "backfill.not_under_way",
        &[Error],
        "what is to be paused, resumed or ended is not under way",
        "nothing was done",
        "`walbridge backfill -c FILE --status` shows what is",
    ),
    says(
        "backfill.in_transaction",
        &[Error],
        "the bridge is in the middle of a source transaction and takes no request",
        "nothing was done, and nothing will be done of it later",
        "ask again when it is through",
    ),
    says(
        "backfill.not_streaming",
        &[Error],
        "the bridge waits, starts, retries or stops, and takes no request",
        "nothing was done, and nothing will be done of it later",
        "ask again when it streams, or ask the bridge that holds the slot",
    ),
    says(
        "backfill.not_known",
        &[Error],
        "the bridge took up the request, or may have, and did not answer",
        "it is not known whether the request is stored; the stream goes on either way",
        "look with `--status`, then ask again if need be",
    ),
    says(
        "backfill.no_row_identity",
        &[Error],
        "a table has no unique key, never null and part of its replica identity, by which its old rows could be read",
        "the bridge does not start: a row that is read could not be matched with the stream. Where the entity is \
         not to be told by itself (`on_start = false`), only a request for it is refused",
        "add such a key, or make it the replica identity; or `on_start = false` in `[backfill]`",
    ),
    says(
        "backfill.other_key",
        &[Error],
        "a table's old rows were read so far by another key than it has now",
        "the bridge halts: it is not known which rows were read. Nothing wrong is published",
        "give the table its former key again, or `walbridge recover -c FILE`",
    ),
    says(
        "backfill.key_not_utf8",
        &[Error],
        "a key among old rows is no UTF-8 text",
        "the bridge halts; what the chunk holds is not published",
        "correct the key in the table, then start again",
    ),
    says(
        "backfill.row_unreadable",
        &[Error],
        "PostgreSQL cannot read a row of the table",
        "the bridge halts: a row that is left out would be missing from the topic, and nobody would know",
        "`COPY … TO STDOUT` finds it; put it right",
    ),
    says(
        "backfill.condition",
        &[Error],
        "PostgreSQL cannot compute `where` for an old row",
        "the bridge halts: a row that is left out would be missing from the topic, and nobody would know",
        "a condition that can be computed for every row, such as with a CASE in front of what fails",
    ),
    says(
        "backfill.waits_hidden",
        &[Error],
        "there are synchronous standbys, and the role may not see which commits wait for them",
        "the bridge halts before it reads: a row could be told as it was before a change, after the change",
        "`GRANT pg_read_all_stats TO` the bridge's role",
    ),
];

pub(super) const HTTP: &[Message] = &[
    says(
        "http.listen",
        &[Error],
        "the address of `listen` cannot be listened on",
        "the bridge does not start; exit 1",
        "name a free address in `listen` of `[http]`",
    ),
    says(
        "http.any_port",
        &[Error],
        "`listen` leaves the port to chance, so that `backfill` cannot find the bridge",
        "nothing was done; exit 2",
        "name a port, and start the bridge with it",
    ),
    says(
        "http.unreachable",
        &[Error],
        "no bridge answers at the address of `listen`",
        "nothing was done",
        "start the bridge, and ask on its machine",
    ),
    says(
        "http.other",
        &[Error],
        "what answers at the address is another bridge, or none",
        "nothing was done",
        "give each bridge an address of its own, and ask with the config that it runs with",
    ),
    says(
        "http.answer",
        &[Error],
        "the answer of the bridge cannot be read",
        "the request may have been taken up",
        "use the same version as the bridge that runs; look with `--status`",
    ),
    says(
        "http.no_token",
        &[Error],
        "the config names no token, so nobody may ask for anything",
        "nothing was done; the stream is not touched",
        "`token` in `[http]`, and start the bridge again",
    ),
    says(
        "http.token",
        &[Error],
        "a request does not bring the bridge's token",
        "nothing was done; the stream is not touched",
        "send `Authorization: Bearer TOKEN`",
    ),
    says(
        "http.token_unreadable",
        &[Error],
        "the token cannot be read where `token` says that it is kept",
        "nothing was done; the stream is not touched",
        "put it there; it is read at each request",
    ),
    says(
        "http.token_unfit",
        &[Error],
        "the token is empty, or holds spaces or letters beyond ASCII",
        "nothing was done",
        "take one line, such as `openssl rand -hex 32` prints",
    ),
    says(
        "http.request",
        &[Error],
        "a request cannot be read or is too large",
        "nothing was done; the stream is not touched",
        "send what the message shows",
    ),
];
