-- Which e-mails a member gets; a member without a row gets them all.
CREATE TABLE aichat.notification_settings (
    org_id uuid NOT NULL,
    member_id uuid NOT NULL,
    quota_warnings boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, member_id),
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members
);

-- Each warning that a member is due: one for each threshold in each period of a quota, however often it is looked for.
-- Noted first and then sent, so that no crash between the two loses it.
CREATE TABLE aichat.quota_warnings (
    org_id uuid NOT NULL,
    warning_id uuid NOT NULL,
    member_id uuid NOT NULL,
    scope text NOT NULL CHECK (scope IN ('organization', 'member', 'key')),
    scope_id uuid NOT NULL,
    period text NOT NULL CHECK (period IN ('month', 'day')),
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    threshold smallint NOT NULL CHECK (threshold BETWEEN 1 AND 100),
    limit_nano_usd bigint NOT NULL CHECK (limit_nano_usd > 0),
    refuses boolean NOT NULL,
    used_nano_usd bigint NOT NULL CHECK (used_nano_usd >= 0),
    state text NOT NULL
        CHECK (state IN ('pending', 'sent', 'covered', 'no_address', 'unsubscribed', 'refused')),
    noted_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    settled_at timestamptz,
    PRIMARY KEY (org_id, warning_id),
    UNIQUE (org_id, scope, scope_id, period, period_start, threshold, member_id),
    FOREIGN KEY (org_id, member_id) REFERENCES aichat.members
);
CREATE INDEX quota_warnings_pending ON aichat.quota_warnings (org_id, noted_at) WHERE state = 'pending';
COMMENT ON COLUMN aichat.quota_warnings.warning_id IS
    'Derived from the quota, its period, the threshold and the member; in the e-mail''s Message-ID.';
COMMENT ON COLUMN aichat.quota_warnings.member_id IS 'Who is warned.';
COMMENT ON COLUMN aichat.quota_warnings.refuses IS 'Whether the limit is a hard one.';
COMMENT ON COLUMN aichat.quota_warnings.state IS
    'covered: a higher threshold was reached before this one was sent; refused: the mail server will not have it.';
COMMENT ON COLUMN aichat.quota_warnings.claimed_until IS
    'Until then whoever claimed it is sending it; later, if it is still pending, that one is taken for dead.';

GRANT SELECT, INSERT, UPDATE ON aichat.notification_settings, aichat.quota_warnings TO aichat_app;
SELECT aichat.protect('notification_settings', 'quota_warnings');
