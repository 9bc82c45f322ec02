-- Holds tenant tables to row-level security: every migration calls it for the tables that it makes. Two settings, local
-- to each transaction, name the tenant and the member. The sub-select reads a setting once a query; a setting that was
-- set and is over reads '', which is nobody.
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
