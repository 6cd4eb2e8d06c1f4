-- The way back: the server keeps its log no longer for the bridge. Do this first when the bridge is taken away.
SELECT pg_catalog.pg_drop_replication_slot({slot});
