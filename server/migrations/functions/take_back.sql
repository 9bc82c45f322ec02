-- Deletes the answer of a generation that left no trace, and its question if no other message follows that. The
-- conversation is then as it was before the question, without the messages that were stored with it, or is deleted if
-- the question began it, and the request is
-- released with all its lanes. While another lane answers the question, the failed generation keeps its lane.
CREATE OR REPLACE FUNCTION aichat.take_back(t aichat.turns) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_question record;
    v_heir uuid;
    v_before uuid;
BEGIN
    SELECT m.parent_message_id, m.created_at INTO v_question FROM aichat.messages AS m
    WHERE m.org_id = t.org_id AND m.message_id = t.user_message_id;
    v_before := v_question.parent_message_id;
    DELETE FROM aichat.messages AS m
    WHERE m.org_id = t.org_id AND m.message_id = t.message_id
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS child
          WHERE child.org_id = t.org_id AND child.parent_message_id = t.message_id
      );
    SELECT m.message_id INTO v_heir FROM aichat.messages AS m
    WHERE m.org_id = t.org_id AND m.parent_message_id = t.user_message_id AND m.message_id <> t.message_id
      AND m.role = 'assistant'
    ORDER BY m.created_at, m.message_id LIMIT 1;
    IF FOUND THEN
        UPDATE aichat.conversations AS c SET head_message_id = v_heir
        WHERE c.org_id = t.org_id AND c.conversation_id = t.conversation_id AND c.head_message_id = t.message_id
          AND NOT EXISTS (
              SELECT FROM aichat.messages AS m WHERE m.org_id = t.org_id AND m.message_id = t.message_id
          );
        RETURN;
    END IF;

    DELETE FROM aichat.requests AS r
    USING aichat.requests AS mine, aichat.turns AS lane
    WHERE mine.org_id = t.org_id AND mine.generation_id = t.generation_id
      AND r.org_id = t.org_id AND r.request_id = mine.request_id
      AND lane.org_id = t.org_id AND lane.generation_id = r.generation_id
      AND lane.user_message_id = t.user_message_id;
    DELETE FROM aichat.messages AS m
    WHERE m.org_id = t.org_id AND m.message_id = t.user_message_id
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS child
          WHERE child.org_id = t.org_id AND child.parent_message_id = t.user_message_id
      );
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF t.earlier IS NOT NULL THEN
        SELECT m.parent_message_id INTO v_before FROM aichat.messages AS m
        WHERE m.org_id = t.org_id AND m.message_id = t.earlier[1];
        DELETE FROM aichat.messages AS m WHERE m.org_id = t.org_id AND m.message_id = ANY (t.earlier);
    END IF;
    -- The head before may have been taken back itself by now; what the question followed cannot have been.
    UPDATE aichat.conversations AS c SET
        head_message_id = CASE WHEN c.head_message_id = t.message_id THEN coalesce(
            (SELECT m.message_id FROM aichat.messages AS m WHERE m.org_id = t.org_id AND m.message_id = t.head_before),
            v_before
        ) ELSE c.head_message_id END,
        updated_at = CASE
            WHEN c.updated_at = v_question.created_at THEN coalesce(t.updated_before, c.updated_at) ELSE c.updated_at
        END
    WHERE c.org_id = t.org_id AND c.conversation_id = t.conversation_id;
    IF t.new_conversation THEN
        -- The response goes on to tell why it failed.
        UPDATE aichat.responses AS r SET conversation_id = NULL
        WHERE r.org_id = t.org_id AND r.generation_id = t.generation_id;
        DELETE FROM aichat.conversations AS c
        WHERE c.org_id = t.org_id AND c.conversation_id = t.conversation_id
          AND NOT EXISTS (
              SELECT FROM aichat.messages AS m
              WHERE m.org_id = t.org_id AND m.conversation_id = t.conversation_id
          );
    END IF;
END
$$;

-- Only the end_turn of servers before revision 0020 calls it, if it waited for the migration's locks. The revision
-- after 0020 may drop it.
CREATE OR REPLACE FUNCTION aichat.take_back(g aichat.generations) RETURNS void
LANGUAGE sql AS $$
    SELECT aichat.take_back(aichat.turn_of(g.org_id, g.generation_id))
$$;
