-- Puts an hour on the list of hours to sum, and keeps it there at least until the transaction ends. Turns share the
-- row, so they only wait for each other when the first one of an hour creates it. Removing it needs an exclusive lock:
-- the sum then includes everything booked under the row, and later turns put the hour on the list again.
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
