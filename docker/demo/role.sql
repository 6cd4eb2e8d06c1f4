-- Only the login, with its password; what it may do is granted by `walbridge setup`.
CREATE ROLE walbridge LOGIN PASSWORD 'for-this-demo-only';
