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

-- A process of it may vanish without a word. What it was at ends within seconds then, and with it the locks that it
-- held: Postgres asks whether it is still there, and waits neither for its next statement nor for its reading. The
-- longest statement is a job's. What the operator has set stays.
DO $$
DECLARE
    v_setting record;
BEGIN
    FOR v_setting IN
        SELECT s.name, s.value
        FROM (VALUES
            ('tcp_keepalives_idle', '5s'), ('tcp_keepalives_interval', '2s'), ('tcp_keepalives_count', '3'),
            ('tcp_user_timeout', '10s'), ('client_connection_check_interval', '5s'),
            ('idle_in_transaction_session_timeout', '10s'), ('statement_timeout', '30s')
        ) AS s (name, value)
        WHERE NOT EXISTS (
            SELECT FROM pg_roles AS r, unnest(r.rolconfig) AS known (setting)
            WHERE r.rolname = 'aichat_app' AND known.setting LIKE s.name || '=%'
        )
    LOOP
        EXECUTE format('ALTER ROLE aichat_app SET %I = %L', v_setting.name, v_setting.value);
    END LOOP;
EXCEPTION
    -- Somebody else's role: it is theirs to set them.
    WHEN insufficient_privilege THEN
        RAISE WARNING 'the settings of aichat_app are not set: %', SQLERRM;
END
$$;
