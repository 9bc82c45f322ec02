-- What a generation may come to cost, in nano-USD, if the model is shown p_history_bytes besides what was known before,
-- and p_followed of answers that are being written. p_hold: known, history (for each million bytes), most or null.
CREATE OR REPLACE FUNCTION aichat.hold_amount(p_hold jsonb, p_history_bytes integer, p_followed bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT least(
        (p_hold ->> 'known')::bigint + ceil(p_history_bytes * (p_hold ->> 'history')::numeric / 1000000) + p_followed,
        (p_hold ->> 'most')::bigint
    )::bigint
$$;
