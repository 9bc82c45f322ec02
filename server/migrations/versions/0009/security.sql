GRANT SELECT, INSERT, UPDATE ON aichat.billing_accounts, aichat.subscriptions, aichat.stripe_events TO aichat_app;
GRANT DELETE ON aichat.stripe_events TO aichat_app;

SELECT aichat.protect('billing_accounts', 'subscriptions');
SELECT aichat.list_work('billing_accounts');

ALTER TABLE aichat.stripe_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY work_list ON aichat.stripe_events
    USING ((SELECT current_setting('aichat.work_list', true) = 'on'
        AND coalesce(current_setting('aichat.org_id', true), '') = ''))
    WITH CHECK ((SELECT current_setting('aichat.work_list', true) = 'on'
        AND coalesce(current_setting('aichat.org_id', true), '') = ''));
