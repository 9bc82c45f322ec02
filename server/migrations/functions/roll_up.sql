-- Removes hours that were over at p_now from the list and sums them: at most p_most of the list, after the given place.
-- Returns where the next call continues; nulls at the list's end. Hours of turns that are just ending, and those that
-- another call is summing, stay on the list for the next time: nobody waits.
CREATE OR REPLACE FUNCTION aichat.roll_up(
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
        -- A separate statement after the locks: it sees everything booked under them.
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
