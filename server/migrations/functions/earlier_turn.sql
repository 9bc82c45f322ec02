-- What a known request began, as servers before revision 0020 know it; null if it is not known. It may go with the
-- revision after that: until then a call that has begun by their aichat.begin_turn, and waits for the migration, asks.
CREATE OR REPLACE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.known_turn(g) FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;
