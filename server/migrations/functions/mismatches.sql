-- Returns the summed hours between two moments that differ from the ledger.
CREATE OR REPLACE FUNCTION aichat.mismatches(p_org_id uuid, p_from timestamptz, p_until timestamptz)
RETURNS SETOF timestamptz
LANGUAGE sql STABLE AS $$
    WITH closed AS (
        SELECT date_trunc('hour', u.occurred_at, 'UTC') AS hour
        FROM aichat.usage_between(p_org_id, p_from, p_until + interval '1 hour') AS u
        UNION
        SELECT r.hour FROM aichat.usage_hourly AS r WHERE r.org_id = p_org_id
        EXCEPT
        SELECT h.hour FROM aichat.open_hours AS h WHERE h.org_id = p_org_id
    ), stored AS (
        SELECT r.* FROM aichat.usage_hourly AS r JOIN closed USING (hour) WHERE r.org_id = p_org_id
    ), summed AS (
        SELECT * FROM aichat.summed_up(
            p_org_id, ARRAY (SELECT closed.hour FROM closed WHERE closed.hour >= p_from AND closed.hour < p_until)
        )
    )
    SELECT d.hour FROM (
        (SELECT * FROM stored EXCEPT SELECT * FROM summed) UNION ALL (SELECT * FROM summed EXCEPT SELECT * FROM stored)
    ) AS d
    WHERE d.hour >= p_from AND d.hour < p_until GROUP BY d.hour
$$;
