//! Of PostgreSQL as a server, and of what the role may: `source.…`.

use crate::finding::Severity::{Error, Note, Warning};
use crate::finding::messages::{Message, says};

pub(super) const SERVER: &[Message] = &[
    says(
        "source.clock_skew",
        &[Warning],
        "the clocks of PostgreSQL and of the bridge's machine differ",
        "all goes on: nothing but lag and readiness is told by them",
        "let NTP keep the clocks of both",
    ),
    says(
        "source.version",
        &[Error],
        "the server is older than PostgreSQL 13",
        "the bridge does not start",
        "use 13 or later",
    ),
    says(
        "source.version_old",
        &[Warning],
        "PostgreSQL 13 gets no fixes any more",
        "all goes on; known faults of logical decoding stay in the server",
        "a later version",
    ),
    says(
        "source.version_loses",
        &[Warning],
        "this minor version of PostgreSQL has faults that lose changes",
        "all goes on; changes can vanish where DDL runs beside writes, and nobody would know",
        "update the server to the minor version that the message names",
    ),
    says(
        "source.wal_level",
        &[Error],
        "`wal_level` is not `logical`",
        "nothing can be told: the log does not hold what decoding needs",
        "`ALTER SYSTEM SET wal_level = 'logical'`, then restart the server",
    ),
    says(
        "source.standby",
        &[Error],
        "the server is a standby",
        "the bridge does not start",
        "name the primary in `url`",
    ),
    says(
        "source.wal_unlimited",
        &[Warning],
        "a slot may keep log without limit",
        "all goes on; a bridge that is down for long fills the disk of the server",
        "`ALTER SYSTEM SET max_slot_wal_keep_size = '100GB'; SELECT pg_reload_conf();`",
    ),
    says(
        "source.idle_slot_timeout",
        &[Warning],
        "the server gives up slots that nobody reads for a while",
        "all goes on; a bridge that is down for longer than this loses its slot, and must `recover`",
        "a longer `idle_replication_slot_timeout`, or 0",
    ),
    says(
        "source.slots_exhausted",
        &[Error],
        "all replication slots are in use",
        "the slot cannot be made; nothing was lost",
        "raise `max_replication_slots` (needs a restart), or drop an unused slot",
    ),
    says(
        "source.wal_senders_exhausted",
        &[Error],
        "all WAL senders are in use",
        "`check` says so; a bridge that starts tries again until one is free",
        "raise `max_wal_senders` (needs a restart)",
    ),
    says(
        "source.prepared_old",
        &[Warning],
        "a prepared transaction has been open for long",
        "no slot can be made while it is open, and the server keeps the log from its start on",
        "`COMMIT PREPARED` or `ROLLBACK PREPARED`",
    ),
    says(
        "source.select",
        &[Note, Error],
        "the role may not read a table",
        "changes are told all the same; old rows of it cannot be (an error where they are to be told)",
        "`GRANT USAGE ON SCHEMA …` and `GRANT SELECT ON …`, as the message spells it",
    ),
    says(
        "source.row_security",
        &[Note, Error],
        "row-level security hides rows of a table from the role",
        "changes are told all the same; old rows of it would be missing (an error where they are to be told)",
        "`ALTER ROLE … BYPASSRLS`",
    ),
    says(
        "source.table_unknown",
        &[Error],
        "a mapped table does not exist",
        "nothing was made",
        "name an existing table",
    ),
    says(
        "source.table_unpublishable",
        &[Error],
        "a mapped table is a view, or a foreign, temporary or unlogged table",
        "nothing was made: its changes are not in the log",
        "name an ordinary table, or `ALTER TABLE … SET LOGGED`",
    ),
    says(
        "source.lock_blocked",
        &[Error],
        "a statement of `setup` or `recover` waits for a lock too long",
        "it gave up, so that writers do not queue behind it; what was done stays done",
        "wait for the open transactions that the message names, then run it again",
    ),
];
