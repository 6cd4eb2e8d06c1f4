-- The bridge's role: it may stream changes and read the mapped tables, and nothing else.
-- Give it a password afterwards with: \password {role}
DO $walbridge$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {role_text}) THEN
        CREATE ROLE {role};
    END IF;
    IF NOT (SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = {role_text}) THEN
        ALTER ROLE {role} LOGIN;
    END IF;
    -- Amazon's servers let nobody alter REPLICATION, and give the right with a role of theirs.
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication') THEN
        GRANT rds_replication TO {role};
    ELSIF NOT (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = {role_text}) THEN
        ALTER ROLE {role} REPLICATION;
    END IF;
END
$walbridge$;
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA {schemas} TO {role};
-- SELECT is needed for telling old rows (backfill); streaming does without.
GRANT SELECT ON TABLE {tables} TO {role};
