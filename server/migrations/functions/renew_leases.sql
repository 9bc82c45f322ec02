-- Renews the leases of generations that one process writes, and their holds, in each tenant after the other. What has
-- ended has no lease and gets none.
CREATE OR REPLACE FUNCTION aichat.renew_leases(
    p_org_ids uuid[], p_generation_ids uuid[], p_lease_seconds double precision, p_hold_seconds double precision
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_tenant record;
BEGIN
    FOR v_tenant IN
        SELECT u.org_id, array_agg(u.generation_id) AS generation_ids
        FROM unnest(p_org_ids, p_generation_ids) AS u (org_id, generation_id)
        GROUP BY u.org_id ORDER BY u.org_id
    LOOP
        PERFORM set_config('aichat.org_id', v_tenant.org_id::text, true);
        -- One that is locked is ending, or is being renewed.
        WITH mine AS (
            SELECT l.generation_id FROM aichat.leases AS l
            WHERE l.org_id = v_tenant.org_id AND l.generation_id = ANY (v_tenant.generation_ids)
            FOR NO KEY UPDATE SKIP LOCKED
        ), renewed AS (
            UPDATE aichat.leases AS l SET expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
            FROM mine WHERE l.org_id = v_tenant.org_id AND l.generation_id = mine.generation_id
            RETURNING l.generation_id
        )
        UPDATE aichat.holds AS h
        SET expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds + p_hold_seconds)
        FROM renewed WHERE h.org_id = v_tenant.org_id AND h.generation_id = renewed.generation_id;
    END LOOP;
END
$$;
