-- Deletes at most p_most of the turns that failed before p_before, which cost nothing, and sums their hours again
-- without them; returns their number.
CREATE OR REPLACE FUNCTION aichat.purge_failures(p_org_id uuid, p_before timestamptz, p_most integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_hours timestamptz[];
    v_forgotten integer;
BEGIN
    WITH gone AS (
        DELETE FROM aichat.failures AS f
        WHERE f.org_id = p_org_id AND f.generation_id IN (
            SELECT o.generation_id FROM aichat.failures AS o
            WHERE o.org_id = p_org_id AND o.occurred_at < p_before ORDER BY o.occurred_at LIMIT p_most
        )
        RETURNING f.occurred_at
    )
    SELECT array_agg(DISTINCT date_trunc('hour', gone.occurred_at, 'UTC')), count(*)
    INTO v_hours, v_forgotten FROM gone;
    INSERT INTO aichat.open_hours (org_id, hour)
    SELECT p_org_id, h.hour FROM unnest(v_hours) AS h (hour) ORDER BY h.hour
    ON CONFLICT DO NOTHING;
    RETURN v_forgotten;
END
$$;
