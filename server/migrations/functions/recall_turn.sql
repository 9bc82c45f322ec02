-- Returns what began before, for a turn with a generation that is known. p_generation_ids: the turn's generations, in
-- the order of its lanes. p_known: those that are known instead; null for a lane that was claimed just now. Such a lane
-- is released, since the turn does not begin.
--
-- If all known generations are the turn's own and run, the turn's reply was lost: it has begun, and known is null.
-- Otherwise known lists, for each lane, the known generation (aichat.known_generation) or null.
CREATE OR REPLACE FUNCTION aichat.recall_turn(
    p jsonb, p_org_id uuid, p_generation_ids uuid[], p_known uuid[], OUT path text, OUT known json, OUT unchecked text
)
LANGUAGE plpgsql AS $$
DECLARE
    v_running boolean;
    v_unchecked boolean;
BEGIN
    SELECT count(*) = cardinality(p_known) AND bool_and(g.state = 'running'), bool_or(g.quota_unchecked)
    INTO v_running, v_unchecked
    FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.generation_id = ANY (p_known);
    IF v_running AND p_known = p_generation_ids THEN
        path := (
            SELECT t.path FROM aichat.messages AS m
            CROSS JOIN aichat.path_to(
                p_org_id, m.parent_message_id, (p ->> 'path_bytes')::bigint, coalesce((p ->> 'whole')::boolean, false)
            ) AS t
            WHERE m.org_id = p_org_id AND m.message_id = (p ->> 'user_message_id')::uuid
              AND m.parent_message_id IS NOT NULL
        );
        unchecked := CASE WHEN v_unchecked THEN 'the reply that says why was lost' END;
        RETURN;
    END IF;
    DELETE FROM aichat.generations AS g USING unnest(p_generation_ids, p_known) AS l (generation_id, known)
    WHERE g.org_id = p_org_id AND g.generation_id = l.generation_id AND l.known IS NULL;
    known := (
        SELECT json_agg(
            CASE WHEN g.generation_id IS NOT NULL
                THEN aichat.known_generation(g, aichat.turn_of(g.org_id, g.generation_id)) END
            ORDER BY l.lane
        )
        FROM unnest(p_known) WITH ORDINALITY AS l (generation_id, lane)
        LEFT JOIN aichat.generations AS g ON g.org_id = p_org_id AND g.generation_id = l.generation_id
    );
END
$$;
