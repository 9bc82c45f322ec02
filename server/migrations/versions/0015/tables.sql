-- A question may follow an answer that is still being written. Until that ends, its message has no content, is listed
-- nowhere, and looks broken off to servers of the version before.
ALTER TABLE aichat.messages ADD COLUMN running boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN aichat.messages.running IS 'An answer that is being written: its content is not here yet.';
GRANT UPDATE (parts, state, running, created_at) ON aichat.messages TO aichat_app;

ALTER TABLE aichat.generations ADD COLUMN head_before uuid, ADD COLUMN updated_before timestamptz;
COMMENT ON COLUMN aichat.generations.head_before IS
    'The conversation''s head before the question, which a turn that leaves no trace gives back.';
COMMENT ON COLUMN aichat.generations.updated_before IS 'As head_before: when the conversation had last changed.';
