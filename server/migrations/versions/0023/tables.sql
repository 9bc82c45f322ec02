ALTER TABLE aichat.generations ADD COLUMN left_out jsonb;
COMMENT ON COLUMN aichat.generations.left_out IS
    'What the model was not shown of a conversation that is longer than its context; null if it was shown all.';

-- Summaries of conversations from their first message to the given one. Later turns show the one of the nearest message
-- that they follow.
CREATE TABLE aichat.summaries (
    org_id uuid NOT NULL,
    message_id uuid NOT NULL,
    summary text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, message_id),
    FOREIGN KEY (org_id, message_id) REFERENCES aichat.messages ON DELETE CASCADE
);

GRANT SELECT, INSERT, DELETE, UPDATE (summary) ON aichat.summaries TO aichat_app;
SELECT aichat.protect('summaries');
