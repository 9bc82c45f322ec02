-- What a known request_id began; null if it is not known.
CREATE OR REPLACE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.known_turn(g) FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;
