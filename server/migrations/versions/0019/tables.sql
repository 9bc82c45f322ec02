-- Who runs a job for a period holds it by its row, and holds on to no connection meanwhile.
ALTER TABLE aichat.job_runs
    ADD COLUMN holder uuid,
    ADD COLUMN held_until timestamptz,
    ADD COLUMN reached uuid,
    ADD CHECK ((holder IS NULL) = (held_until IS NULL));
COMMENT ON COLUMN aichat.job_runs.holder IS 'The run that goes on; null if none does.';
COMMENT ON COLUMN aichat.job_runs.held_until IS
    'A run renews it as long as it goes on; from then on another one may take its place.';
COMMENT ON COLUMN aichat.job_runs.reached IS
    'The organisation that an unfinished run came to, by the order of ids; the next one goes on behind it.';
