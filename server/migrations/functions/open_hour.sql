-- Puts an hour on the list of those to be summed up, until the end of the transaction at least. Turns share the row, so
-- that they wait for each other only where the first of an hour makes it. Who takes it off the list needs it alone: it
-- finds all that was booked under it, and what comes later puts the hour on the list again.
CREATE OR REPLACE FUNCTION aichat.open_hour(p_org_id uuid, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_hour timestamptz := date_trunc('hour', p_at, 'UTC');
BEGIN
    LOOP
        PERFORM FROM aichat.open_hours AS h WHERE h.org_id = p_org_id AND h.hour = v_hour FOR KEY SHARE;
        EXIT WHEN FOUND;
        INSERT INTO aichat.open_hours (org_id, hour) VALUES (p_org_id, v_hour) ON CONFLICT DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
END
$$;
