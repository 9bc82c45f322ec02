-- Enables row-level security on tenant tables: every migration calls it for the tables that it creates. Two settings,
-- local to each transaction, name the tenant and the member. The sub-select reads a setting once per query; a setting
-- that was set in an earlier transaction reads '', which matches nobody.
CREATE OR REPLACE FUNCTION aichat.protect(VARIADIC p_tables text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    tenant text;
BEGIN
    FOREACH tenant IN ARRAY p_tables
    LOOP
        EXECUTE format('ALTER TABLE aichat.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant);
        EXECUTE format(
            'CREATE POLICY tenant ON aichat.%I
             USING (org_id = (SELECT nullif(current_setting(''aichat.org_id'', true), '''')::uuid))
             WITH CHECK (org_id = (SELECT nullif(current_setting(''aichat.org_id'', true), '''')::uuid))', tenant);
    END LOOP;
END
$$;
