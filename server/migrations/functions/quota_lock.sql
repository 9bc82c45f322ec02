-- Whoever changes an organisation's quotas takes this lock alone, and turns that begin or end share it: they wait for
-- each other only where there are quotas, and a change finds no turn half counted.
CREATE OR REPLACE FUNCTION aichat.quota_lock(p_org_id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('aichat.quotas ' || p_org_id::text, 0)
$$;
