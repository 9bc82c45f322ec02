-- A change of an organisation's quotas takes this lock exclusively; turns that begin or end share it. They only wait
-- for each other if there are quotas, and a change finds no turn that is half counted.
CREATE OR REPLACE FUNCTION aichat.quota_lock(p_org_id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('aichat.quotas ' || p_org_id::text, 0)
$$;
