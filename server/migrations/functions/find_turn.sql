-- Returns a generation as servers before revision 0020 know it; null if the organisation has none with this id. The
-- revision after 0020 may drop it (aichat.find_generation replaces it).
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
