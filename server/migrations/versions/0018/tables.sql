-- Which versions of the server have migrated this database, the newest last. Servers and workers read here, and in
-- Alembic's table, whether they and the schema fit.
CREATE TABLE aichat.schema_versions (
    applied_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    revision text NOT NULL,
    digest text NOT NULL,
    oldest_revision text NOT NULL
);
COMMENT ON COLUMN aichat.schema_versions.revision IS 'The newest migration of that version.';
COMMENT ON COLUMN aichat.schema_versions.digest IS 'SHA-256 over its migrations'' names and its functions.';
COMMENT ON COLUMN aichat.schema_versions.oldest_revision IS
    'Servers whose newest migration is this one, or a later one, run on the schema, too.';

ALTER TABLE aichat.schema_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON aichat.schema_versions FOR SELECT USING (true);
CREATE POLICY everyone ON aichat.alembic_version FOR SELECT USING (true);
GRANT SELECT ON aichat.schema_versions, aichat.alembic_version TO aichat_app;
