-- A generation that answers in a conversation, as aichat.known_turn describes it; null if the organisation has none of
-- that id. p: org_id, generation_id.
CREATE OR REPLACE FUNCTION aichat.find_turn(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    RETURN (
        SELECT aichat.known_turn(g, aichat.turn_of(g.org_id, g.generation_id)) FROM aichat.generations AS g
        WHERE g.org_id = (p ->> 'org_id')::uuid AND g.generation_id = (p ->> 'generation_id')::uuid
    );
END
$$;

-- As servers before revision 0020 ask for it. It may go with the revision after that.
CREATE OR REPLACE FUNCTION aichat.find_turn(p_org_id uuid, p_generation_id uuid) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p_org_id::text, true);
    RETURN (
        SELECT aichat.known_turn(g) FROM aichat.generations AS g
        WHERE g.org_id = p_org_id AND g.generation_id = p_generation_id
    );
END
$$;
