GRANT SELECT, INSERT, UPDATE, DELETE ON aichat.job_runs, aichat.outbox TO aichat_app;

SELECT aichat.protect('outbox');
SELECT aichat.list_work('outbox');

-- It tells of no tenant, and is the work list's alone, as the payment provider's events are.
ALTER TABLE aichat.job_runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY work_list ON aichat.job_runs
    USING ((SELECT current_setting('aichat.work_list', true) = 'on'
        AND coalesce(current_setting('aichat.org_id', true), '') = ''))
    WITH CHECK ((SELECT current_setting('aichat.work_list', true) = 'on'
        AND coalesce(current_setting('aichat.org_id', true), '') = ''));
