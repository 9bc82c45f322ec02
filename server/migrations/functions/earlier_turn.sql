-- Returns what a request began, as servers before revision 0020 know it; null if it began nothing. Only their
-- begin_turn calls it, if it waited for the migration's locks. The revision after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.earlier_turn(p_org_id uuid, p_request_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.known_turn(g) FROM aichat.generations AS g
    WHERE g.org_id = p_org_id AND g.request_id = p_request_id
$$;
