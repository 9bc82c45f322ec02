-- Ends a generation whose answer is in no conversation (aichat.settle_generation), and returns it
-- (aichat.known_generation). If it leaves no trace, its request is released. Ending it again changes nothing. Returns
-- null if there is no such generation, or, with orphan, if its lease has not expired.
--
-- p: org_id, member_id, generation_id; model and provider that answered; state; is_empty: whether no answer came that
-- can be kept; stop_reason; usage, with a count for each kind (0 if it is missing) and estimated; raw_usage;
-- cost_nano_usd, price_version; error_reason, error_message; first_delta_ms. parts: the answer, if it is kept for
-- retries (aichat.kept_answers); null or missing if nothing of it is kept. orphan: the generation ends only if its
-- lease has expired, since its server may still be alive; the lease then stays until aichat.forget_orphan.
CREATE OR REPLACE FUNCTION aichat.end_generation(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
    s record;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    SELECT * INTO s FROM aichat.settle_generation(p);
    IF s.ended AND NOT s.left_trace THEN
        DELETE FROM aichat.requests AS r
        WHERE r.org_id = (p ->> 'org_id')::uuid AND r.generation_id = (p ->> 'generation_id')::uuid;
    ELSIF s.ended AND nullif(p -> 'parts', 'null') IS NOT NULL THEN
        INSERT INTO aichat.kept_answers (org_id, generation_id, parts)
        VALUES ((s.g).org_id, (s.g).generation_id, p -> 'parts');
    END IF;
    RETURN CASE WHEN (s.g).state <> 'running' THEN aichat.known_generation(s.g, NULL) END;
END
$$;
