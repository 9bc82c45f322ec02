-- What became of each job in each of its periods; the period is '' for jobs that do whatever there is to do.
CREATE TABLE aichat.job_runs (
    job text NOT NULL,
    period text NOT NULL,
    runs bigint NOT NULL DEFAULT 0 CHECK (runs >= 0),
    failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    succeeded_at timestamptz,
    outcome text,
    failure text,
    PRIMARY KEY (job, period)
);
COMMENT ON COLUMN aichat.job_runs.ended_at IS 'Null while it runs, and if its process died.';
COMMENT ON COLUMN aichat.job_runs.succeeded_at IS 'When it last came to a good end; null: it never did.';
COMMENT ON COLUMN aichat.job_runs.outcome IS 'What came of the last run that succeeded.';
COMMENT ON COLUMN aichat.job_runs.failure IS 'The kind of error that the last run failed with; null if it did not.';

-- What is to be handed to others: e-mails to a mail server, refunds to the payment provider. It is put in by the transaction that it tells of, and taken out
-- when it has been handed over. Ids and times alone, since it is on the work list: what it says stands where it belongs.
CREATE TABLE aichat.outbox (
    org_id uuid NOT NULL REFERENCES aichat.organizations,
    message_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('quota_warning', 'refund')),
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, message_id)
);
CREATE INDEX outbox_due ON aichat.outbox (due_at, message_id);
