//! Of publications, tables and partitions: `source.…`.

use crate::finding::Severity::{Error, Warning};
use crate::finding::messages::{Message, says};

pub(super) const PUBLICATION: &[Message] = &[
    says(
        "source.publication_missing",
        &[Error],
        "a publication does not exist, or did not when a change in the log was made",
        "the bridge halts: the server tells no change of its tables",
        "before the first start `walbridge setup --apply -c FILE`; later `walbridge recover -c FILE`",
    ),
    says(
        "source.publication_lacks_table",
        &[Error],
        "the publication lacks a mapped table",
        "the bridge does not start: its changes would never be told",
        "`ALTER PUBLICATION … ADD TABLE …`; where the table was in it before, `walbridge recover -c FILE`",
    ),
    says(
        "source.publication_operations",
        &[Error],
        "the publication does not publish every operation that is needed",
        "the bridge does not start, or halts: such changes would never be told",
        "`ALTER PUBLICATION … SET (publish = '…')`; one that has a position halts then, and `walbridge recover -c FILE` \
         goes on",
    ),
    says(
        "source.publication_leaves",
        &[Error],
        "partitions come under their own names, and the mapping names the partitioned table",
        "the bridge does not start: their changes would not be recognised",
        "`ALTER PUBLICATION … SET (publish_via_partition_root = true)`, before the first start; one that has a position \
         halts then, and `walbridge recover -c FILE` goes on",
    ),
    says(
        "source.publication_root",
        &[Error],
        "a partition comes under the name of its root, and the mapping names the partition, or both",
        "the bridge does not start: one of the two would be told nothing",
        "map the root alone, or its partitions alone",
    ),
    says(
        "source.row_filter",
        &[Error],
        "the publication filters the rows of a table",
        "the bridge does not start: hidden rows would never be told",
        "take the table out of the publication and put it back without a filter, before the first start; one that has a \
         position halts then, since what was hidden was never told",
    ),
    says(
        "source.column_list",
        &[Warning],
        "the publication hides columns of a table",
        "all goes on; a mapping that names one of them does not start, or halts at the table's first change",
        "take the table out of the publication and put it back without a list, before the first start",
    ),
    says(
        "source.column_hidden",
        &[Error],
        "the publication hides a column that is mapped",
        "the bridge does not start: changes come without it",
        "take the table out of the publication and put it back without a list, before the first start",
    ),
    says(
        "source.column_list_identity",
        &[Error],
        "the publication's column list lacks columns of the replica identity",
        "**the application's own** UPDATE and DELETE of the table fail",
        "take the table out of the publication and put it back without a list, at once",
    ),
    says(
        "source.identity_missing",
        &[Error],
        "a table has no replica identity and is in a publication of updates",
        "**the application's own** UPDATE and DELETE of it fail as long as it is published so; before `setup`: \
         nothing is made",
        "`ALTER TABLE … REPLICA IDENTITY FULL`, or a primary key",
    ),
    says(
        "source.identity_weaker",
        &[Error],
        "the replica identity gives less of the old row than when the position was stored",
        "the bridge halts: which entities a change left or entered may no longer be known",
        "`ALTER TABLE … REPLICA IDENTITY FULL`, then start again; a change that needs more than was logged of it \
         halts by itself",
    ),
    says(
        "source.publication_recreated",
        &[Error],
        "a publication that the position rests on was dropped and made again",
        "the bridge halts: changes made meanwhile may not have been told",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.publication_renamed",
        &[Error],
        "the position rests on a publication that the config does not name",
        "the bridge does not start: changes may not have been told",
        "the former `publication` in `[source]`, or `walbridge recover -c FILE`",
    ),
    says(
        "source.publication_gone",
        &[Error],
        "a publication that the position rests on was dropped",
        "the bridge halts: changes made meanwhile may not have been told",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.publication_altered",
        &[Error],
        "a publication that the position rests on was altered",
        "the bridge halts: what it told meanwhile is not known, whatever it tells now",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.table_gone",
        &[Error],
        "a mapped table was dropped or renamed",
        "the bridge halts: changes may not have been told, and what was published of its rows stays",
        "`walbridge recover -c FILE`, after its entities are taken out of the config or `table` names another",
    ),
    says(
        "source.table_recreated",
        &[Error],
        "a mapped table was dropped and made again, or another table took its name",
        "the bridge halts: what was told of the former table's rows stays, though they are gone",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.table_renamed",
        &[Error],
        "a mapped table was renamed, and changed under its new name",
        "the bridge halts at that change: passing over it would lose it",
        "the name it has in the log as `table`, or `walbridge recover -c FILE`",
    ),
    says(
        "source.table_left",
        &[Error],
        "a mapped table was taken out of the publication",
        "the bridge halts: changes may not have been told",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.table_readded",
        &[Error],
        "a mapped table was taken out of the publication and put back",
        "the bridge halts: changes made meanwhile were not told",
        "`walbridge recover -c FILE`",
    ),
    says(
        "source.partition_attached",
        &[Warning],
        "a partition that may hold rows came into a mapped table, and an entity on it tells no old rows",
        "the bridge goes on; rows that it brought were not told by this entity, and are not (others tell them)",
        "`walbridge backfill -c FILE ENTITY`, where the entity has a state topic",
    ),
    says(
        "source.partition_gone",
        &[Warning],
        "a partition was dropped or detached, or was so and is back",
        "the bridge goes on; its rows went without a DELETE, so what was published of them stays",
        "`walbridge backfill -c FILE ENTITY --delete reconcile` gives their keys tombstones",
    ),
];
