-- Every table of a tenant leads its keys with org_id, so that a tenant's rows lie together and can be distributed.

CREATE TABLE aichat.organizations (
    org_id uuid PRIMARY KEY,
    name text NOT NULL,
    plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro', 'team')),
    contact_email text,
    time_zone text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN aichat.organizations.contact_email IS 'Where e-mails for members without an address of their own go.';
COMMENT ON COLUMN aichat.organizations.time_zone IS 'IANA name of the zone whose days its usage is shown by.';

CREATE TABLE aichat.users (
    user_id uuid PRIMARY KEY,
    email text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A member is a user of the same id, or a program that has API keys and no user.
CREATE TABLE aichat.members (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    member_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, member_id)
);
-- Finds the organisations of a user.
CREATE INDEX members_by_member ON aichat.members (member_id);

CREATE TABLE aichat.api_keys (
    org_id uuid NOT NULL,
    key_id uuid NOT NULL,
    member_id uuid NOT NULL,
    key_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (org_id, key_id),
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members
);

CREATE TABLE aichat.conversations (
    org_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    member_id uuid NOT NULL,
    title text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    head_message_id uuid,
    PRIMARY KEY (org_id, conversation_id),
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members
);
CREATE INDEX conversations_by_update ON aichat.conversations (org_id, updated_at, conversation_id);

-- What was asked of a vendor and what it cost. No foreign key leads to the conversation and its messages: what was
-- paid for outlives them.
CREATE TABLE aichat.generations (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    user_message_id uuid NOT NULL,
    message_id uuid NOT NULL,
    member_id uuid NOT NULL,
    key_id uuid,
    request_id uuid,
    fingerprint bytea NOT NULL,
    model text NOT NULL,
    requested_model text,
    provider text NOT NULL,
    options jsonb NOT NULL,
    new_conversation boolean NOT NULL,
    pending_title text,
    state text NOT NULL CHECK (state IN ('running', 'complete', 'failed', 'interrupted', 'cancelled')),
    stop_reason text CHECK (stop_reason IN ('end_turn', 'max_tokens', 'stop_sequence')),
    input_tokens bigint NOT NULL DEFAULT 0 CHECK (input_tokens >= 0),
    cache_read_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_read_tokens >= 0),
    cache_write_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0),
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_write_1h_tokens >= 0),
    output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    reasoning_tokens bigint NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
    web_searches bigint NOT NULL DEFAULT 0 CHECK (web_searches >= 0),
    usage_estimated boolean NOT NULL DEFAULT false,
    raw_usage jsonb,
    cost_nano_usd bigint NOT NULL DEFAULT 0 CHECK (cost_nano_usd >= 0),
    quota_unchecked boolean NOT NULL DEFAULT false,
    error_reason text,
    error_message text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (org_id, generation_id),
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members,
    FOREIGN KEY (org_id, key_id) REFERENCES aichat.api_keys,
    CHECK ((state = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX generations_by_request ON aichat.generations (org_id, request_id) WHERE request_id IS NOT NULL;
COMMENT ON COLUMN aichat.generations.model IS 'The model that answered; while it runs, the one that was asked for.';
COMMENT ON COLUMN aichat.generations.requested_model IS
    'The model that was asked for, where a fallback answered; null where the model asked for did.';
COMMENT ON COLUMN aichat.generations.options IS
    'What was asked for; once it has ended without the system prompt, since words go with their conversation.';
COMMENT ON COLUMN aichat.generations.quota_unchecked IS
    'The check of the quotas, or the charge to them, failed, and the turn went on.';
COMMENT ON COLUMN aichat.generations.pending_title IS
    'The title that the conversation gets with its first answer; null where it had one, or was made with one.';

CREATE TABLE aichat.messages (
    org_id uuid NOT NULL,
    message_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    parent_message_id uuid,
    member_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('user', 'assistant')),
    parts jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('complete', 'failed', 'interrupted', 'cancelled')),
    generation_id uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, message_id),
    FOREIGN KEY (org_id, conversation_id) REFERENCES aichat.conversations ON DELETE CASCADE,
    FOREIGN KEY (org_id, parent_message_id) REFERENCES aichat.messages,
    FOREIGN KEY (org_id, generation_id) REFERENCES aichat.generations,
    CHECK ((role = 'assistant') = (generation_id IS NOT NULL))
);
CREATE INDEX messages_by_time ON aichat.messages (org_id, conversation_id, created_at, message_id);
CREATE INDEX messages_by_parent ON aichat.messages (org_id, parent_message_id);
