-- Fails a generation that may or may not have begun, since every reply was lost. If it has begun, it ends without a
-- trace. If its request is still on its way, it cannot begin when that arrives: its id is taken, and its request stays
-- free for the next call. A generation that has ended is not changed.
--
-- p: as for aichat.begin_generation, with error_reason and error_message.
CREATE OR REPLACE FUNCTION aichat.abandon_generation(p jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true), set_config('aichat.member_id', p ->> 'member_id', true);
    PERFORM aichat.claim_generation(p - 'claim', NULL);
    PERFORM aichat.end_generation(
        p || '{"state": "failed", "is_empty": true, "usage": {}, "cost_nano_usd": 0}'
    );
END
$$;
