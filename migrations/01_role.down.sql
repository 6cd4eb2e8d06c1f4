-- The way back: takes the rights from the bridge's role, and drops it. A role that was there before stays: leave the last line out.
REVOKE SELECT ON TABLE {tables} FROM {role};
REVOKE USAGE ON SCHEMA {schemas} FROM {role};
REVOKE CONNECT ON DATABASE {database} FROM {role};
DROP ROLE {role};
