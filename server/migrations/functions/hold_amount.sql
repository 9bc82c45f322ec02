-- Returns the most that a generation can cost, in nano-USD. p_hold: known, the cost without the history; history, the
-- cost of each million bytes of it; most, the limit of the sum, or null. p_history_bytes: the length of the history.
-- p_followed: the cost of answers in the history that are still being written.
CREATE OR REPLACE FUNCTION aichat.hold_amount(p_hold jsonb, p_history_bytes integer, p_followed bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(
        (p_hold ->> 'known')::bigint + ceil(p_history_bytes * (p_hold ->> 'history')::numeric / 1000000) + p_followed,
        (p_hold ->> 'most')::bigint
    )::bigint
$$;
