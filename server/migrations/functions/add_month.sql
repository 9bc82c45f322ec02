-- Creates the ledger's partition of the month that begins at p_start (UTC), and moves that month's rows there from the
-- rest. Turns that are booked in months without a partition wait for it, only then and only briefly.
CREATE OR REPLACE FUNCTION aichat.add_month(p_start timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_end timestamptz := p_start + interval '1 month';
    v_name text := 'usage_events_' || to_char(p_start, 'YYYY_MM');
BEGIN
    EXECUTE format('CREATE TABLE aichat.%I (LIKE aichat.usage_events INCLUDING ALL)', v_name);
    -- Row-level security also applies to the owner, who sees the rows of every tenant only for this moment.
    LOCK TABLE aichat.usage_events_rest IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE aichat.usage_events_rest NO FORCE ROW LEVEL SECURITY, DISABLE TRIGGER immutable;
    EXECUTE format(
        'WITH moved AS (
             DELETE FROM aichat.usage_events_rest WHERE occurred_at >= %L AND occurred_at < %L RETURNING *
         )
         INSERT INTO aichat.%I SELECT * FROM moved', p_start, v_end, v_name);
    ALTER TABLE aichat.usage_events_rest FORCE ROW LEVEL SECURITY, ENABLE TRIGGER immutable;
    PERFORM aichat.protect(v_name);
    EXECUTE format(
        'CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.%I
         FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change()', v_name);
    EXECUTE format(
        'ALTER TABLE aichat.usage_events ATTACH PARTITION aichat.%I FOR VALUES FROM (%L) TO (%L)',
        v_name, p_start, v_end
    );
END
$$;
