-- The generation that each lane of a request began. One request may begin several generations side by side. A
-- generation that leaves no trace releases its lane.
CREATE TABLE aichat.requests (
    org_id uuid NOT NULL,
    request_id uuid NOT NULL,
    lane smallint NOT NULL,
    generation_id uuid NOT NULL,
    fingerprint bytea NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, request_id, lane),
    FOREIGN KEY (org_id, generation_id) REFERENCES aichat.generations ON DELETE CASCADE
);
CREATE INDEX requests_by_generation ON aichat.requests (org_id, generation_id);
COMMENT ON COLUMN aichat.requests.fingerprint IS 'What must be the same when the request comes again.';

-- How a generation belongs to a conversation: which question it answers, and as which message its answer is stored.
-- Generations that answer the same question side by side are the lanes of one turn. No foreign key leads to the
-- conversation and its messages, which may be deleted before.
CREATE TABLE aichat.turns (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    user_message_id uuid NOT NULL,
    message_id uuid NOT NULL,
    new_conversation boolean NOT NULL,
    pending_title text,
    head_before uuid,
    updated_before timestamptz,
    PRIMARY KEY (org_id, generation_id),
    FOREIGN KEY (org_id, generation_id) REFERENCES aichat.generations ON DELETE CASCADE
);
COMMENT ON COLUMN aichat.turns.message_id IS 'The answer''s.';
COMMENT ON COLUMN aichat.turns.new_conversation IS 'Whether the question began the conversation.';
COMMENT ON COLUMN aichat.turns.pending_title IS
    'The title that the conversation gets with its first answer; null if it has one, and after the generation''s end.';
COMMENT ON COLUMN aichat.turns.head_before IS
    'The conversation''s head before the question. A turn that leaves no trace restores it.';
COMMENT ON COLUMN aichat.turns.updated_before IS 'As head_before: when the conversation had last changed.';

GRANT SELECT, INSERT, DELETE ON aichat.requests TO aichat_app;
GRANT SELECT, INSERT, DELETE, UPDATE (pending_title) ON aichat.turns TO aichat_app;
SELECT aichat.protect('requests', 'turns');

-- No row is copied. A generation that a server before this revision began keeps its data in the columns that the two
-- tables replace; aichat.turn_of and aichat.claim_generation read them there. New generations leave these columns null,
-- except user_message_id, which workers before this revision read.
ALTER TABLE aichat.generations
    ALTER COLUMN conversation_id DROP NOT NULL,
    ALTER COLUMN user_message_id DROP NOT NULL,
    ALTER COLUMN message_id DROP NOT NULL,
    ALTER COLUMN new_conversation DROP NOT NULL,
    ALTER COLUMN fingerprint DROP NOT NULL,
    ADD COLUMN sink text NOT NULL DEFAULT 'message';
COMMENT ON COLUMN aichat.generations.sink IS
    'Where the answer goes. It tells a worker how to end the generation if its server is lost.';

-- Not every generation answers in a conversation.
ALTER TABLE aichat.usage_events ALTER COLUMN conversation_id DROP NOT NULL;
ALTER TABLE aichat.failures ALTER COLUMN conversation_id DROP NOT NULL;

-- A quota that a member with a key is held to, in its present period.
CREATE TYPE aichat.quota_in_period AS (
    scope text, scope_id uuid, period text, hard_nano_usd bigint, period_start timestamptz, period_end timestamptz
);

-- aichat.locked_quotas replaces it.
DROP FUNCTION aichat.lock_quotas(uuid, uuid, uuid, timestamptz);
