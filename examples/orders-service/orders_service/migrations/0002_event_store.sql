-- The audit trail: what happened, as it was told, never changed.

CREATE TABLE event_store (
    event_id     text COLLATE "C" PRIMARY KEY,      -- sorts by epoch and commit; what comes again is the same id
    aggregate_id text COLLATE "C" NOT NULL,
    type         text NOT NULL,
    data         jsonb NOT NULL,
    time         timestamptz NOT NULL,              -- when the source committed it
    version      bigint NOT NULL,                   -- counts the events of an aggregate, from 1
    schema       text,                              -- names the contract of `data` and its version
    stored       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (aggregate_id, version)
);

-- Where the source's history was replaced: no event will ever tell what happened in between.
CREATE TABLE event_gap (
    gap_id text COLLATE "C" PRIMARY KEY,
    entity text NOT NULL,
    time   timestamptz NOT NULL,
    since  text,                                    -- a place in the source's log; unknown: null
    until  text NOT NULL,
    reason text NOT NULL
);
