GRANT SELECT ON aichat.prices TO aichat_app;
GRANT SELECT, INSERT ON aichat.usage_events, aichat.failures TO aichat_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON aichat.quotas, aichat.quota_usage, aichat.open_hours TO aichat_app;
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at) ON aichat.holds, aichat.leases TO aichat_app;
GRANT SELECT, INSERT, UPDATE ON aichat.closed_books TO aichat_app;

SELECT aichat.protect(
    'usage_events', 'usage_events_rest', 'failures', 'open_hours', 'closed_books', 'quotas', 'quota_usage', 'holds', 'leases'
);
SELECT aichat.list_work('leases', 'open_hours');

-- Prices are no tenant's: everyone reads them, and the owner alone adds to them.
ALTER TABLE aichat.prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON aichat.prices FOR SELECT USING (true);

-- What is on the books stays as it is, also for the owner.
CREATE FUNCTION aichat.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = TG_TABLE_NAME || ' is added to, never changed';
END
$$;
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.prices
    FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.usage_events
    FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change();
CREATE TRIGGER immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON aichat.usage_events_rest
    FOR EACH STATEMENT EXECUTE FUNCTION aichat.refuse_change();
