-- Returns a generation (aichat.known_generation); null if the organisation has none with this id. p: org_id,
-- generation_id.
CREATE OR REPLACE FUNCTION aichat.find_generation(p jsonb) RETURNS json
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    RETURN (
        SELECT aichat.known_generation(g, aichat.turn_of(g.org_id, g.generation_id)) FROM aichat.generations AS g
        WHERE g.org_id = (p ->> 'org_id')::uuid AND g.generation_id = (p ->> 'generation_id')::uuid
    );
END
$$;
