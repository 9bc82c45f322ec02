-- Servers before this revision fail on parts that are not text. So parts holds the text alone, which they read.
ALTER TABLE aichat.messages
    ADD COLUMN content jsonb,
    ADD COLUMN media_tokens integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN aichat.messages.content IS 'All parts of the message; null if parts has them all.';
COMMENT ON COLUMN aichat.messages.media_tokens IS
    'The most input tokens that a vendor counts for the files of the message, which its JSON only names.';
GRANT UPDATE (content) ON aichat.messages TO aichat_app;

-- Servers before this revision fail on other stop reasons than theirs.
ALTER TABLE aichat.generations
    ADD COLUMN calls_tools boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT generations_stop_reason_check,
    ADD CONSTRAINT generations_stop_reason_check
        CHECK (stop_reason IN ('end_turn', 'max_tokens', 'stop_sequence', 'other', 'tool_use')) NOT VALID;
COMMENT ON COLUMN aichat.generations.calls_tools IS
    'Whether the model stopped to wait for the results of tools. stop_reason is other then, for servers before.';
