-- Puts tables on the work list, which tells jobs in which tenants there is work. Jobs read it in a transaction that
-- sets aichat.work_list and no tenant. They see only ids and times there, and do the work inside each tenant.
CREATE OR REPLACE FUNCTION aichat.list_work(VARIADIC p_tables text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    listed text;
BEGIN
    FOREACH listed IN ARRAY p_tables
    LOOP
        EXECUTE format(
            'CREATE POLICY work_list ON aichat.%I FOR SELECT
             USING ((SELECT current_setting(''aichat.work_list'', true) = ''on''
                 AND coalesce(current_setting(''aichat.org_id'', true), '''') = ''''))', listed);
    END LOOP;
END
$$;
