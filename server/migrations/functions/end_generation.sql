-- Ends a generation of which nothing but its record is kept, and returns it as it is then (aichat.known_generation). It
-- ends as aichat.settle_generation says; without a trace, its request can be sent again. Ending it again changes
-- nothing. Null: it is not there, or, with orphan, its lease has not expired.
--
-- p: org_id, member_id, generation_id; model and provider, which answered; state; is_empty: nothing of the answer came
-- that could be kept; stop_reason; usage, with a count for each kind and estimated (what is missing is 0); raw_usage;
-- cost_nano_usd, price_version; error_reason, error_message; first_delta_ms. orphan: it ends only if its lease has
-- expired, since its server may be alive after all. The lease then stays until all is done that an orphan needs.
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
    END IF;
    RETURN CASE WHEN (s.g).state <> 'running' THEN aichat.known_generation(s.g, NULL) END;
END
$$;
