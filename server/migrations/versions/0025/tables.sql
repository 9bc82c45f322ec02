-- What is kept of responses besides their turns, to tell them as their callers asked for them. A response that failed
-- without a trace has no conversation any more.
CREATE TABLE aichat.responses (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    conversation_id uuid,
    owns_conversation boolean NOT NULL,
    request jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, generation_id),
    FOREIGN KEY (org_id, generation_id) REFERENCES aichat.generations ON DELETE CASCADE,
    FOREIGN KEY (org_id, conversation_id) REFERENCES aichat.conversations ON DELETE CASCADE
);
CREATE INDEX responses_by_conversation ON aichat.responses (org_id, conversation_id);
COMMENT ON COLUMN aichat.responses.owns_conversation IS
    'Whether responses made the conversation: it is deleted with the last of them.';
COMMENT ON COLUMN aichat.responses.request IS 'What the response tells back of its request.';

GRANT SELECT, INSERT, DELETE, UPDATE (conversation_id) ON aichat.responses TO aichat_app;
SELECT aichat.protect('responses');

ALTER TABLE aichat.turns ADD COLUMN earlier uuid[];
COMMENT ON COLUMN aichat.turns.earlier IS
    'The messages of the caller''s own history that were stored with the question, before it; null if there are none.';

-- A caller's own history holds answers that no generation of this platform wrote.
ALTER TABLE aichat.messages
    DROP CONSTRAINT messages_check,
    ADD CONSTRAINT messages_written_check CHECK (role = 'assistant' OR generation_id IS NULL) NOT VALID;
