-- Takes back the question of a turn that left no trace, and the place of its answer: the conversation is as it was
-- before, and one that the question began is gone. What another turn follows meanwhile stays.
CREATE OR REPLACE FUNCTION aichat.take_back(g aichat.generations) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_question record;
BEGIN
    SELECT m.parent_message_id, m.created_at INTO v_question FROM aichat.messages AS m
    WHERE m.org_id = g.org_id AND m.message_id = g.user_message_id;
    DELETE FROM aichat.messages AS m
    WHERE m.org_id = g.org_id AND m.message_id = g.message_id
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS child
          WHERE child.org_id = g.org_id AND child.parent_message_id = g.message_id
      );
    DELETE FROM aichat.messages AS m
    WHERE m.org_id = g.org_id AND m.message_id = g.user_message_id
      AND NOT EXISTS (
          SELECT FROM aichat.messages AS child
          WHERE child.org_id = g.org_id AND child.parent_message_id = g.user_message_id
      );
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The head before may have been taken back itself by now; what the question followed cannot have been.
    UPDATE aichat.conversations AS c SET
        head_message_id = CASE WHEN c.head_message_id = g.message_id THEN coalesce(
            (SELECT m.message_id FROM aichat.messages AS m WHERE m.org_id = g.org_id AND m.message_id = g.head_before),
            v_question.parent_message_id
        ) ELSE c.head_message_id END,
        updated_at = CASE
            WHEN c.updated_at = v_question.created_at THEN coalesce(g.updated_before, c.updated_at) ELSE c.updated_at
        END
    WHERE c.org_id = g.org_id AND c.conversation_id = g.conversation_id;
    IF g.new_conversation THEN
        DELETE FROM aichat.conversations AS c
        WHERE c.org_id = g.org_id AND c.conversation_id = g.conversation_id
          AND NOT EXISTS (
              SELECT FROM aichat.messages AS m
              WHERE m.org_id = g.org_id AND m.conversation_id = g.conversation_id
          );
    END IF;
END
$$;
