-- Returns the number of open holds, and of expired ones, in a transaction of the work list. Row-level security hides
-- holds from other tenants, so it counts in one tenant after another: those with running turns, by their leases.
CREATE OR REPLACE FUNCTION aichat.count_holds(OUT open_holds bigint, OUT expired_holds bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_org_ids uuid[] := ARRAY(SELECT DISTINCT l.org_id FROM aichat.leases AS l);
    v_org_id uuid;
    v_open bigint;
    v_expired bigint;
BEGIN
    open_holds := 0;
    expired_holds := 0;
    FOREACH v_org_id IN ARRAY v_org_ids
    LOOP
        PERFORM set_config('aichat.org_id', v_org_id::text, true);
        SELECT count(*) FILTER (WHERE h.expires_at > now()), count(*) FILTER (WHERE h.expires_at <= now())
        INTO v_open, v_expired FROM aichat.holds AS h WHERE h.org_id = v_org_id;
        open_holds := open_holds + v_open;
        expired_holds := expired_holds + v_expired;
    END LOOP;
    PERFORM set_config('aichat.org_id', '', true);
END
$$;
