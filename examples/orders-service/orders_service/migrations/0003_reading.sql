-- How far each partition is read, in the database whose rows it speaks of: both are stored in one transaction.

CREATE TABLE read_position (
    topic       text COLLATE "C" NOT NULL,
    partition   integer NOT NULL,
    topic_id    text NOT NULL,                      -- of the topic that the offset belongs to; one made anew has another
    next_offset bigint,                             -- null: nothing was read yet
    fresh_at    timestamptz,                        -- all that was visible at this moment is in the copy
    PRIMARY KEY (topic, partition)
);

-- What the control records of a state topic said of each partition.
CREATE TABLE initial_load (
    topic      text COLLATE "C" NOT NULL,
    partition  integer NOT NULL,
    sequence   text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,
    phase      text NOT NULL CHECK (phase IN ('begun', 'complete', 'cancelled')),
    partial    boolean NOT NULL,
    whole      text COLLATE "C",
    PRIMARY KEY (topic, partition)
);
