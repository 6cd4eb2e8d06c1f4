//! Of the mapping, `mapping.…`, and of rows that it cannot tell, `row.…`.

use crate::finding::Severity::{Error, Note, Warning};
use crate::finding::messages::{Message, says};

pub(super) const MAPPING: &[Message] = &[
    says(
        "mapping.unknown_table",
        &[Error],
        "an entity names a table that is not there",
        "nothing is started",
        "correct `table`; the message names the nearest",
    ),
    says(
        "mapping.unpublishable",
        &[Error],
        "an entity names a view, or a foreign, unlogged or temporary table",
        "nothing is started: its changes are not in the log",
        "name an ordinary table; `ALTER TABLE … SET LOGGED` makes one of an unlogged table",
    ),
    says(
        "mapping.unknown_column",
        &[Error],
        "a field names a column that its table does not have",
        "nothing is started",
        "correct the name; the message names the nearest",
    ),
    says(
        "mapping.generated",
        &[Error],
        "a field names a generated column",
        "nothing is started: its values are not in the log",
        "make the field by an expression over the columns that it is generated from",
    ),
    says(
        "mapping.form",
        &[Error],
        "a field's `zone`, `decimals`, `parse`, `as` or codes do not fit its column or expression",
        "nothing is started",
        "the message says what fits the column's type",
    ),
    says(
        "mapping.expression",
        &[Error, Warning],
        "an expression cannot be read or does not fit its columns; as a warning (`check --offline`), a text that \
         is no expression must be the name of a column",
        "an error: nothing is started. A warning: nothing, if there is such a column",
        "correct the part that the caret shows",
    ),
    says(
        "mapping.condition",
        &[Error],
        "`where` or `when` is an expression that is not boolean",
        "nothing is started",
        "write a comparison",
    ),
    says(
        "mapping.nullable_comparison",
        &[Warning],
        "a comparison looks at a column that may be null",
        "all goes on; a row with null there does not fulfil the condition, as in SQL",
        "say what null means: `IS NULL`, `IS NOT NULL`, `IS DISTINCT FROM` or `coalesce`",
    ),
    says(
        "mapping.key_not_unique",
        &[Error],
        "no unique index over NOT NULL columns covers the entity's key",
        "nothing is started: two rows would overwrite each other in the state topic",
        "choose such a key, or add the index that the message names",
    ),
    says(
        "mapping.identity",
        &[Error],
        "the replica identity does not give what the mapping needs of the old row",
        "nothing is started: it could not be known what a row was before it changed or went",
        "`ALTER TABLE … REPLICA IDENTITY FULL`, as the message spells it",
    ),
    says(
        "mapping.out_of_line",
        &[Warning],
        "an UPDATE may leave out large values that are mapped, and the old row does not give them",
        "the bridge carries on until such an UPDATE comes, and halts there (`row.unchanged`): nothing wrong is \
         published",
        "`ALTER TABLE … REPLICA IDENTITY FULL`, before the first start",
    ),
    says(
        "mapping.codes_uncovered",
        &[Warning],
        "`codes` leave out values that the column's type or check allows",
        "the bridge carries on until a row has such a code, and halts there (`row.unknown_code`)",
        "list them, or `on_unknown = \"null\"` or `\"raw\"`",
    ),
    says(
        "mapping.as_text",
        &[Note],
        "a column's type has no form of its own in JSON",
        "its values are published as PostgreSQL writes them",
        "nothing, if consumers can read that; else say `as`, or an expression",
    ),
    says(
        "mapping.surrogate",
        &[Warning, Note],
        "a number that the database counts is published, or may be",
        "all goes on; consumers can come to rest on it, and it tells how many rows there are",
        "a `public_id`, or `expose = \"REASON\"`: [public-ids.md](public-ids.md)",
    ),
    says(
        "mapping.formerly",
        &[Error],
        "`formerly` names a column that nothing looks at, or a name that is taken",
        "nothing is started: it is not known which column is meant",
        "correct it, or take it out once the changes from before the renaming have passed",
    ),
    says(
        "mapping.changed",
        &[Note],
        "an entity is declared otherwise than when the position was stored",
        "the message says it: nothing, or its rows are told again at the next start",
        "nothing, if it is meant",
    ),
    says(
        "mapping.undecided",
        &[Error],
        "an entity was given another key or place in a topic that goes on",
        "the bridge does not start: tombstones or two keys for one thing would mislead consumers",
        "name new topics, as the message says; for another key also, once: `walbridge run --accept -c FILE`",
    ),
    says(
        "mapping.column_gone",
        &[Error],
        "changes in the log come without a column that the mapping needs: it was renamed, dropped, or not yet \
         added then",
        "the bridge halts at that change; nothing of its transaction is published",
        "`formerly` for a renamed column; take a dropped one out of the mapping; run without an added one until \
         these changes have passed",
    ),
    says(
        "mapping.column_twice",
        &[Error],
        "changes in the log have a column of either name that `formerly` makes one",
        "the bridge halts at that change; nothing of its transaction is published",
        "take the name out of `formerly`",
    ),
    says(
        "mapping.two_types",
        &[Error],
        "a column changes its type within one transaction",
        "the bridge halts at that transaction; nothing of it is published",
        "take the column out of the mapping until the transaction has passed",
    ),
];

pub(super) const ROW: &[Message] = &[
    says(
        "row.expression",
        &[Error],
        "`where`, `when`, `with` or a field has no value for a row: a number overflows, a division by zero, a text \
         that is no number",
        "the bridge halts at that row; nothing of its transaction is published",
        "let the expression have a value for every row: a wider type, `nullif` or CASE",
    ),
    says(
        "row.form",
        &[Error],
        "a value does not fit the form that its field declares (`parse`, a date out of range, …)",
        "the bridge halts at that row; nothing of its transaction is published",
        "list such values in `null_when`, or publish the column in another form",
    ),
    says(
        "row.unknown_code",
        &[Error],
        "a value is not among the `codes` of its field",
        "the bridge halts at that row; nothing of its transaction is published",
        "add the code, or `on_unknown = \"null\"` or `\"raw\"`",
    ),
    says(
        "row.not_utf8",
        &[Error],
        "a text cannot be told in UTF-8",
        "the bridge halts at that row; nothing of its transaction is published",
        "take the field out until such rows are corrected and passed; where the server cannot convert the text: \
         correct the rows, then `walbridge recover -c FILE`",
    ),
    says(
        "row.unchanged",
        &[Error],
        "a large value did not change, so PostgreSQL did not send it, and the old row does not give it",
        "the bridge halts at that UPDATE; nothing of its transaction is published",
        "`REPLICA IDENTITY FULL` for what comes; to pass this row, take what needs the value out of the mapping, \
         or `walbridge recover -c FILE`",
    ),
    says(
        "row.unknown_old",
        &[Error],
        "an old value is needed that the replica identity does not give",
        "the bridge halts at that change; nothing of its transaction is published",
        "`REPLICA IDENTITY FULL` for what comes; to pass this row, take what needs the value out of the mapping, \
         or `walbridge recover -c FILE`",
    ),
    says(
        "row.null_key",
        &[Error],
        "the key of a row is null",
        "the bridge halts at that row; nothing of its transaction is published",
        "choose a key that is never null, or let `where` leave such rows out",
    ),
    says(
        "row.too_many_records",
        &[Error],
        "one change makes more than 255 records",
        "the bridge halts at that change; nothing of its transaction is published",
        "declare fewer entities or events on that table",
    ),
    says(
        "row.too_large",
        &[Error],
        "what the server sends of a row is larger than `row_bytes_max`",
        "the bridge halts before the transaction with that row; nothing of it is published",
        "raise `row_bytes_max` in `[limits]` as far as memory allows",
    ),
    says(
        "row.truncate",
        &[Error],
        "a mapped table was truncated",
        "the bridge halts at that transaction: what was published of its rows stays, though they are gone",
        "tell consumers, then `walbridge recover -c FILE`",
    ),
];
