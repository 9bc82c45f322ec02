-- Returns the messages that lead to the question of a generation, and the question, as aichat.path_to does; an empty
-- list if the generation has no conversation, or if that was deleted. p: org_id, generation_id, whole (as
-- aichat.begin_turn takes it).
CREATE OR REPLACE FUNCTION aichat.turn_path(p jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_org_id uuid := p ->> 'org_id';
    v_question uuid;
BEGIN
    PERFORM set_config('aichat.org_id', p ->> 'org_id', true);
    v_question := (aichat.turn_of(v_org_id, (p ->> 'generation_id')::uuid)).user_message_id;
    RETURN (
        SELECT t.path FROM aichat.path_to(v_org_id, v_question, NULL, coalesce((p ->> 'whole')::boolean, false)) AS t
    );
END
$$;
