-- An organisation's quotas. What its plan includes is one of them where its limit is hard, unless the operator has set
-- the organisation's quota for the month, which then stands for it.
CREATE FUNCTION aichat.quotas_in_force(p_org_id uuid)
RETURNS TABLE (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, soft_nano_usd bigint, updated_at timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT q.scope, q.scope_id, q.period, q.hard_nano_usd, q.soft_nano_usd, q.updated_at FROM aichat.quotas AS q
    WHERE q.org_id = p_org_id
    UNION ALL
    SELECT
        'organization', o.org_id, 'month', t.included_nano_usd, NULL,
        (SELECT p.starts_at FROM aichat.plan_periods AS p WHERE p.org_id = o.org_id AND p.ends_at IS NULL)
    FROM aichat.organizations AS o
    CROSS JOIN LATERAL (
        SELECT p.included_nano_usd, p.hard FROM aichat.plans AS p
        WHERE p.plan = o.plan AND p.valid_from <= now() ORDER BY p.valid_from DESC LIMIT 1
    ) AS t
    WHERE o.org_id = p_org_id AND t.hard AND NOT EXISTS (
        SELECT FROM aichat.quotas AS q
        WHERE q.org_id = p_org_id AND q.scope = 'organization' AND q.period = 'month'
    )
$$;

-- The quotas that a member with a key, or without one, is held to at a moment, with the period that is then.
CREATE FUNCTION aichat.quotas_of(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz)
RETURNS TABLE (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, soft_nano_usd bigint,
    period_start timestamptz, period_end timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT
        q.scope, q.scope_id, q.period, q.hard_nano_usd, q.soft_nano_usd,
        date_trunc(q.period, p_at, 'UTC'),
        (date_trunc(q.period, p_at AT TIME ZONE 'UTC') + ('1 ' || q.period)::interval) AT TIME ZONE 'UTC'
    FROM aichat.quotas_in_force(p_org_id) AS q
    WHERE (q.scope, q.scope_id) IN (
        VALUES ('organization', p_org_id), ('member', p_member_id), ('key', p_key_id)
    )
$$;

-- What an organisation, a member or a key was charged in a period, by the books.
CREATE FUNCTION aichat.charged(
    p_org_id uuid, p_scope text, p_scope_id uuid, p_from timestamptz, p_until timestamptz
) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(e.cost_nano_usd), 0)::bigint FROM aichat.usage_events AS e
    WHERE e.org_id = p_org_id AND e.occurred_at >= p_from AND e.occurred_at < p_until
      AND CASE p_scope WHEN 'member' THEN e.member_id = p_scope_id WHEN 'key' THEN e.key_id = p_scope_id ELSE true END
$$;

-- What the running turns of an organisation, a member or a key may come to cost.
CREATE FUNCTION aichat.held(p_org_id uuid, p_scope text, p_scope_id uuid) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(h.amount_nano_usd), 0)::bigint FROM aichat.holds AS h
    WHERE h.org_id = p_org_id AND h.expires_at > now()
      AND CASE p_scope WHEN 'member' THEN h.member_id = p_scope_id WHEN 'key' THEN h.key_id = p_scope_id ELSE true END
$$;

-- Whoever changes an organisation's quotas takes this lock alone, and turns that begin or end share it: they wait for
-- each other only where there are quotas, and a change finds no turn half counted.
CREATE FUNCTION aichat.quota_lock(p_org_id uuid) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended('aichat.quotas ' || p_org_id::text, 0)
$$;

-- Locks the counters that a turn is held to, always in the same order, and sums up from the books those that are not
-- there yet. False if there are none.
CREATE FUNCTION aichat.lock_quotas(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_quota record;
    v_any boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(aichat.quota_lock(p_org_id));
    IF NOT EXISTS (SELECT FROM aichat.quotas_in_force(p_org_id)) THEN
        RETURN false;
    END IF;
    FOR v_quota IN
        SELECT * FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, p_at) AS q ORDER BY q.scope, q.period
    LOOP
        v_any := true;
        PERFORM FROM aichat.quota_usage AS u
        WHERE u.org_id = p_org_id AND u.scope = v_quota.scope AND u.scope_id = v_quota.scope_id
          AND u.period = v_quota.period AND u.period_start = v_quota.period_start
        FOR NO KEY UPDATE;
        CONTINUE WHEN FOUND;
        -- Of two that find none, the second waits for the first, and locks what it made.
        INSERT INTO aichat.quota_usage AS u (org_id, scope, scope_id, period, period_start, charged_nano_usd)
        VALUES (
            p_org_id, v_quota.scope, v_quota.scope_id, v_quota.period, v_quota.period_start,
            aichat.charged(p_org_id, v_quota.scope, v_quota.scope_id, v_quota.period_start, v_quota.period_end)
        ) ON CONFLICT (org_id, scope, scope_id, period, period_start)
        DO UPDATE SET charged_nano_usd = u.charged_nano_usd;
    END LOOP;
    RETURN v_any;
END
$$;

-- Refuses a turn that could bring its organisation, member or key above a hard quota: SQLSTATE AI003, whose detail says
-- which, by JSON. The counters stay locked, so that the next turn sees this one's hold.
CREATE FUNCTION aichat.check_quotas(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_amount bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_at timestamptz := clock_timestamp();
    v_refusal json;
BEGIN
    IF NOT aichat.lock_quotas(p_org_id, p_member_id, p_key_id, v_at) THEN
        RETURN;
    END IF;
    -- A statement of its own, behind the locks: charges and holds as the turns before this one left them. Of several
    -- quotas, the one that resets last is what the caller has to wait for.
    SELECT json_build_object(
        'scope', q.scope, 'scope_id', q.scope_id, 'period', q.period, 'limit', q.hard_nano_usd,
        'used', u.charged_nano_usd + h.held, 'needed', p_amount, 'resets_at', q.period_end
    ) INTO v_refusal
    FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, v_at) AS q
    JOIN aichat.quota_usage AS u ON u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
        AND u.period = q.period AND u.period_start = q.period_start
    CROSS JOIN LATERAL aichat.held(p_org_id, q.scope, q.scope_id) AS h (held)
    WHERE u.charged_nano_usd + h.held + p_amount > q.hard_nano_usd
    ORDER BY q.period_end DESC, q.hard_nano_usd - u.charged_nano_usd - h.held, q.scope
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'AI003', MESSAGE = 'over quota', DETAIL = v_refusal::text;
    END IF;
END
$$;

-- What may still be charged before a hard quota is reached, with all that is held for others; null if there is no hard
-- quota. For a turn whose own hold is over, and which others may have spent since. The counters stay locked until it is
-- charged. Where this fails, so will the charge, which is marked.
CREATE FUNCTION aichat.quota_left(p_org_id uuid, p_member_id uuid, p_key_id uuid, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT aichat.lock_quotas(p_org_id, p_member_id, p_key_id, p_at) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT greatest(0, min(q.hard_nano_usd - u.charged_nano_usd - h.held))
        FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, p_at) AS q
        JOIN aichat.quota_usage AS u ON u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
            AND u.period = q.period AND u.period_start = q.period_start
        CROSS JOIN LATERAL aichat.held(p_org_id, q.scope, q.scope_id) AS h (held)
        WHERE q.hard_nano_usd IS NOT NULL
    );
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Charges what a generation cost to the quotas that it is held to; to be called before the books have it, so that
-- counters that are summed up now are without it. Where this fails, the books will still be right: the generation is
-- marked, and the next change of the quota has it summed up anew.
CREATE FUNCTION aichat.charge_quotas(
    p_org_id uuid, p_member_id uuid, p_key_id uuid, p_generation_id uuid, p_cost bigint, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF aichat.lock_quotas(p_org_id, p_member_id, p_key_id, p_at) THEN
        UPDATE aichat.quota_usage AS u SET charged_nano_usd = u.charged_nano_usd + p_cost
        FROM aichat.quotas_of(p_org_id, p_member_id, p_key_id, p_at) AS q
        WHERE u.org_id = p_org_id AND u.scope = q.scope AND u.scope_id = q.scope_id
          AND u.period = q.period AND u.period_start = q.period_start;
    END IF;
EXCEPTION WHEN OTHERS THEN
    UPDATE aichat.generations AS g SET quota_unchecked = true
    WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id;
END
$$;
