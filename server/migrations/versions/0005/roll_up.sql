-- What the rows of some hours of one organisation should be.
CREATE FUNCTION aichat.summed_up(p_org_id uuid, p_hours timestamptz[]) RETURNS SETOF aichat.usage_hourly
LANGUAGE sql STABLE AS $$
    SELECT
        p_org_id, h.hour, u.provider, u.model, u.member_id, u.key_id, u.error_reason, sum(u.turns),
        sum(u.estimated_turns), sum(u.input_tokens)::bigint, sum(u.cache_read_tokens)::bigint,
        sum(u.cache_write_tokens)::bigint, sum(u.cache_write_1h_tokens)::bigint, sum(u.output_tokens)::bigint,
        sum(u.reasoning_tokens)::bigint, sum(u.web_searches)::bigint, sum(u.cost_nano_usd)::bigint,
        coalesce(
            array_agg(u.first_delta_ms ORDER BY u.first_delta_ms) FILTER (WHERE u.first_delta_ms IS NOT NULL), '{}'
        ),
        coalesce(array_agg(u.duration_ms ORDER BY u.duration_ms) FILTER (WHERE u.duration_ms IS NOT NULL), '{}')
    FROM unnest(p_hours) AS h (hour)
    CROSS JOIN LATERAL aichat.usage_between(p_org_id, h.hour, h.hour + interval '1 hour') AS u
    GROUP BY h.hour, u.provider, u.model, u.member_id, u.key_id, u.error_reason
$$;

-- Sums up some hours of one organisation anew, and writes the rows that are not as they should be: a second time, none.
-- To be called by one at a time for each hour.
CREATE FUNCTION aichat.sum_up(p_org_id uuid, p_hours timestamptz[]) RETURNS void
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

-- Takes hours that were over at p_now off the list and sums them up: at most p_most of the list, behind the given place.
-- Returns where the next call goes on; nulls at the list's end. Hours of turns that are just ending, and those that
-- another one is summing up, stay on the list for the next time: nobody waits.
CREATE FUNCTION aichat.roll_up(
    p_now timestamptz, p_most integer, INOUT after_org_id uuid, INOUT after_hour timestamptz, OUT summed integer
)
LANGUAGE plpgsql AS $$
DECLARE
    v_work record;
    v_hours timestamptz[];
    v_listed integer := 0;
BEGIN
    summed := 0;
    PERFORM set_config('aichat.org_id', '', true), set_config('aichat.work_list', 'on', true);
    FOR v_work IN
        SELECT listed.org_id, array_agg(listed.hour ORDER BY listed.hour) AS hours
        FROM (
            SELECT h.org_id, h.hour FROM aichat.open_hours AS h
            WHERE h.hour <= p_now - interval '1 hour'
              AND (after_org_id IS NULL OR (h.org_id, h.hour) > (after_org_id, after_hour))
            ORDER BY h.org_id, h.hour LIMIT p_most
        ) AS listed
        GROUP BY listed.org_id ORDER BY listed.org_id
    LOOP
        PERFORM set_config('aichat.org_id', v_work.org_id::text, true), set_config('aichat.work_list', '', true);
        WITH free AS (
            SELECT h.org_id, h.hour FROM aichat.open_hours AS h
            WHERE h.org_id = v_work.org_id AND h.hour = ANY (v_work.hours) FOR UPDATE SKIP LOCKED
        ), taken AS (
            DELETE FROM aichat.open_hours AS h USING free
            WHERE h.org_id = free.org_id AND h.hour = free.hour RETURNING h.hour
        )
        SELECT array_agg(taken.hour) INTO v_hours FROM taken;
        -- A statement of its own, behind the locks: it sees all that was booked under them.
        PERFORM aichat.sum_up(v_work.org_id, v_hours);
        summed := summed + coalesce(cardinality(v_hours), 0);
        v_listed := v_listed + cardinality(v_work.hours);
        after_org_id := v_work.org_id;
        after_hour := v_work.hours[cardinality(v_work.hours)];
    END LOOP;
    PERFORM set_config('aichat.org_id', '', true), set_config('aichat.work_list', '', true);
    IF v_listed < p_most THEN
        after_org_id := NULL;
        after_hour := NULL;
    END IF;
END
$$;
