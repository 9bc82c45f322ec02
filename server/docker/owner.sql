-- The role that migrations run as. It owns the database and the schema in it, makes the server's role, and is no
-- superuser: row-level security holds for it, too, and what its functions do is done with no more rights than these.
-- For the superuser, in that database, with the password in POSTGRES_OWNER_PASSWORD; may be run again.
\set ON_ERROR_STOP on
\getenv password POSTGRES_OWNER_PASSWORD

SELECT 'CREATE ROLE aichat_owner' WHERE to_regrole('aichat_owner') IS NULL \gexec
ALTER ROLE aichat_owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD :'password';
SELECT format('ALTER DATABASE %I OWNER TO aichat_owner', current_database()) \gexec

-- What the superuser has made, where it was the one that migrated.
SELECT 'ALTER SCHEMA aichat OWNER TO aichat_owner' WHERE to_regnamespace('aichat') IS NOT NULL \gexec
SELECT format('ALTER TABLE %s OWNER TO aichat_owner', oid::regclass) FROM pg_class
WHERE relnamespace = to_regnamespace('aichat') AND relkind IN ('r', 'p') \gexec
SELECT format('ALTER FUNCTION %s OWNER TO aichat_owner', oid::regprocedure) FROM pg_proc
WHERE pronamespace = to_regnamespace('aichat') \gexec
SELECT 'GRANT aichat_app TO aichat_owner WITH ADMIN TRUE, INHERIT FALSE, SET FALSE'
WHERE to_regrole('aichat_app') IS NOT NULL \gexec
