-- Puts every hour in which an organisation has usage or sums on the list of hours to sum.
CREATE OR REPLACE FUNCTION aichat.reopen(p_org_id uuid) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO aichat.open_hours (org_id, hour)
    SELECT p_org_id, date_trunc('hour', u.occurred_at, 'UTC')
    FROM aichat.usage_between(p_org_id, '-infinity', 'infinity') AS u
    UNION
    SELECT p_org_id, r.hour FROM aichat.usage_hourly AS r WHERE r.org_id = p_org_id
    ON CONFLICT DO NOTHING
$$;
