GRANT SELECT ON aichat.prices TO aichat_app;
GRANT SELECT, INSERT ON aichat.usage_events TO aichat_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON aichat.quotas, aichat.quota_usage TO aichat_app;
GRANT SELECT, INSERT, DELETE ON aichat.holds TO aichat_app;

-- As for the tables before.
DO $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY ARRAY['usage_events', 'quotas', 'quota_usage', 'holds']
    LOOP
        EXECUTE format('ALTER TABLE aichat.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format(
            'CREATE POLICY tenant ON aichat.%I
             USING (org_id = (SELECT nullif(current_setting(''aichat.org_id'', true), '''')::uuid))
             WITH CHECK (org_id = (SELECT nullif(current_setting(''aichat.org_id'', true), '''')::uuid))', tenant);
    END LOOP;
END
$$;

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

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA aichat TO aichat_app;
