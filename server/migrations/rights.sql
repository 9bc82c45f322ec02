-- The server's role may call every function of the schema, and nobody else may.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat TO aichat_app;

-- It keeps to what is there: what it made in a temporary schema would be found before what others mean. Only the
-- database's owner can take this from it; for others it is a warning.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, aichat_app', current_database());
END
$$;
