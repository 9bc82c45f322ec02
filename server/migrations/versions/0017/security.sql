GRANT SELECT, INSERT, DELETE ON aichat.unpaid_invoices TO aichat_app;
GRANT SELECT, INSERT ON aichat.unpaid_notices TO aichat_app;
GRANT SELECT, INSERT, UPDATE ON aichat.platform_limits, aichat.free_usage TO aichat_app;

SELECT aichat.protect('unpaid_invoices', 'unpaid_notices');
SELECT aichat.list_work('unpaid_invoices');

-- The platform's own, which tell of no tenant: every turn reads them, and adds what it was charged.
ALTER TABLE aichat.platform_limits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE aichat.free_usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON aichat.platform_limits USING (true) WITH CHECK (true);
CREATE POLICY everyone ON aichat.free_usage USING (true) WITH CHECK (true);
