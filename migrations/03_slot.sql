-- From here on the server keeps its log until the bridge has published it. Waits for every open transaction.
SELECT lsn::text FROM pg_catalog.pg_create_logical_replication_slot({slot}, 'pgoutput');
