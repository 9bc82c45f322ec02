-- Returns the messages that lead to the question of a generation, and the question, as aichat.path_to does; an empty
-- list if the generation has no conversation, or if that was deleted. p: org_id, generation_id.
CREATE OR REPLACE FUNCTION aichat.turn_path(p jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    RETURN aichat.path_to(
        v_org_id, (aichat.turn_of(v_org_id, (p ->> 'generation_id')::uuid)).user_message_id, NULL
    );
END
$$;
