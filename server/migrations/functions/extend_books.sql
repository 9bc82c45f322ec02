-- Creates the ledger's missing partitions for this month and the three that follow; returns their number. It runs with
-- the owner's rights, which the server's role has only here. It takes no arguments, and pg_temp, where its caller may
-- have types and tables, comes last in its path (it would come first if it were not named).
CREATE OR REPLACE FUNCTION aichat.extend_books() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '10s' AS $$
DECLARE
    v_made integer := 0;
    v_month timestamptz;
BEGIN
    FOR v_month IN
        SELECT date_trunc('month', now()) + n * interval '1 month' FROM generate_series(0, 3) AS n
    LOOP
        IF to_regclass('aichat.usage_events_' || to_char(v_month, 'YYYY_MM')) IS NULL THEN
            PERFORM aichat.add_month(v_month);
            v_made := v_made + 1;
        END IF;
    END LOOP;
    RETURN v_made;
END
$$;
