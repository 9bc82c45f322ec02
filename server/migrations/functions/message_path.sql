-- Returns all messages that lead to the given one, and that message, as a JSON list. Only workers before revision 0020
-- call it; the revision after 0020 may drop it (aichat.turn_path replaces it).
CREATE OR REPLACE FUNCTION aichat.message_path(p_org_id uuid, p_message_id uuid) RETURNS json
LANGUAGE sql STABLE AS $$
    SELECT aichat.path_to(p_org_id, p_message_id, NULL)::json
$$;
