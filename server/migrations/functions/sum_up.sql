-- Sums some hours of one organisation again, and writes the rows that differ: a second call writes none. Only one call
-- at a time for each hour.
CREATE OR REPLACE FUNCTION aichat.sum_up(p_org_id uuid, p_hours timestamptz[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM aichat.usage_hourly AS r WHERE r.org_id = p_org_id AND r.hour = ANY (p_hours)) THEN
        DELETE FROM aichat.usage_hourly AS r
        WHERE r.org_id = p_org_id AND r.hour = ANY (p_hours)
          AND NOT EXISTS (SELECT FROM aichat.summed_up(p_org_id, p_hours) AS s WHERE s = r);
    END IF;
    INSERT INTO aichat.usage_hourly
    SELECT s.* FROM aichat.summed_up(p_org_id, p_hours) AS s
    WHERE NOT EXISTS (
        SELECT FROM aichat.usage_hourly AS r
        WHERE (r.org_id, r.hour, r.provider, r.model, r.member_id, r.key_id, r.error_reason)
            = (p_org_id, s.hour, s.provider, s.model, s.member_id, s.key_id, s.error_reason)
    );
END
$$;
