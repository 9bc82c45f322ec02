-- All of the messages that lead to the given one, and it, as a JSON list, as workers before revision 0020 ask for them.
-- It may go with the revision after that: aichat.turn_path stands for it.
CREATE OR REPLACE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.path_to(p_org_id, p_message_id, NULL)::json
$$;
