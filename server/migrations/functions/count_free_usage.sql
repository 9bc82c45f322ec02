-- Adds what a generation of an organisation on Free was charged to the total of all of them.
CREATE OR REPLACE FUNCTION aichat.count_free_usage(
    p_org_id uuid, p_generation_id uuid, p_cost bigint, p_at timestamptz
) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO aichat.free_usage AS f (period_start, shard, charged_nano_usd)
    SELECT date_trunc('month', p_at, 'UTC'), hashtext(p_generation_id::text) & 63, p_cost
    FROM aichat.organizations AS o
    WHERE o.org_id = p_org_id AND o.plan = 'free' AND p_cost > 0
    ON CONFLICT (period_start, shard) DO UPDATE SET charged_nano_usd = f.charged_nano_usd + excluded.charged_nano_usd
$$;
