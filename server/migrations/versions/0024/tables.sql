-- Answers that are kept outside of conversations, so that the same call gets the same answer again. A job deletes them.
CREATE TABLE aichat.kept_answers (
    org_id uuid NOT NULL,
    generation_id uuid NOT NULL,
    parts jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, generation_id),
    FOREIGN KEY (org_id, generation_id) REFERENCES aichat.generations ON DELETE CASCADE
);

GRANT SELECT, INSERT, DELETE ON aichat.kept_answers TO aichat_app;
SELECT aichat.protect('kept_answers');
