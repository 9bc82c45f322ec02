-- Checks the tool results of a message that follows p_parent (null: none) against the calls there. An answer that ended
-- to wait for tools needs exactly one result for each of its calls; any other message takes none. Raises AI005, whose
-- detail lists the ids that are missing and those that are unknown. p_results: the call ids of the results. Its plan is
-- kept, as aichat.path_to's.
CREATE OR REPLACE FUNCTION aichat.check_results(p_org_id uuid, p_parent uuid, p_results jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    v_calls jsonb;
    v_missing jsonb;
    v_unknown jsonb;
BEGIN
    SELECT coalesce(jsonb_agg(c.part -> 'call_id'), '[]') INTO v_calls
    FROM aichat.messages AS m
    JOIN aichat.generations AS g ON g.org_id = m.org_id AND g.generation_id = m.generation_id
    CROSS JOIN jsonb_array_elements(m.content) AS c (part)
    WHERE m.org_id = p_org_id AND m.message_id = p_parent AND m.state = 'complete' AND g.calls_tools
      AND c.part ->> 'type' = 'tool_call';
    SELECT jsonb_agg(c.id) INTO v_missing FROM jsonb_array_elements(v_calls) AS c (id) WHERE NOT p_results @> c.id;
    SELECT jsonb_agg(r.id) INTO v_unknown FROM jsonb_array_elements(p_results) AS r (id) WHERE NOT v_calls @> r.id;
    IF v_missing IS NOT NULL OR v_unknown IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'AI005', MESSAGE = 'the results do not match the calls',
            DETAIL = jsonb_build_object(
                'missing', coalesce(v_missing, '[]'), 'unknown', coalesce(v_unknown, '[]')
            );
    END IF;
END
$$;
