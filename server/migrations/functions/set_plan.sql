-- Changes an organisation's plan from a moment on; its current plan changes nothing. A moment before the last change is
-- replaced by that one: the past stays as it was.
CREATE OR REPLACE FUNCTION aichat.set_plan(p_org_id uuid, p_plan text, p_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- The plan also changes the quota, which was not counted while it was not in force.
    PERFORM pg_advisory_xact_lock(aichat.quota_lock(p_org_id));
    UPDATE aichat.organizations AS o SET plan = p_plan WHERE o.org_id = p_org_id AND o.plan <> p_plan;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM aichat.quota_usage AS u WHERE u.org_id = p_org_id AND u.scope = 'organization';
    UPDATE aichat.plan_periods AS p SET plan = p_plan
    WHERE p.org_id = p_org_id AND p.ends_at IS NULL AND p.starts_at >= p_at;
    IF NOT FOUND THEN
        UPDATE aichat.plan_periods AS p SET ends_at = p_at WHERE p.org_id = p_org_id AND p.ends_at IS NULL;
        INSERT INTO aichat.plan_periods (org_id, starts_at, plan) VALUES (p_org_id, p_at, p_plan);
    END IF;
END
$$;
