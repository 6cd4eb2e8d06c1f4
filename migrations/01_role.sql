-- The bridge's role: it may stream changes and read the mapped tables, and nothing else.
-- Give it a password afterwards with: \password {role}
DO $walbridge$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {role_text}) THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END
$walbridge$;
ALTER ROLE {role} LOGIN REPLICATION;
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA {schemas} TO {role};
-- SELECT is needed for telling old rows (backfill) and for verify; streaming does without.
GRANT SELECT ON TABLE {tables} TO {role};
