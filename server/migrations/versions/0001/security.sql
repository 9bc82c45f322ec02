-- The server's role. It owns nothing, and what it may see of a table is what the table's policies say. Its password
-- comes from DATABASE_URL. Roles belong to the whole cluster, so it may be there already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aichat_app') THEN
        CREATE ROLE aichat_app LOGIN NOINHERIT;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA aichat TO aichat_app;
GRANT SELECT, INSERT ON aichat.organizations, aichat.members TO aichat_app;
GRANT UPDATE (plan, contact_email, time_zone) ON aichat.organizations TO aichat_app;
GRANT SELECT, INSERT, UPDATE ON aichat.users, aichat.api_keys, aichat.generations TO aichat_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON aichat.conversations TO aichat_app;
GRANT SELECT, INSERT, DELETE ON aichat.messages TO aichat_app;

-- Holds tenant tables to row-level security: every migration calls it for the tables that it makes. Two settings, local
-- to each transaction, name the tenant and the member. The sub-select reads a setting once a query; a setting that was
-- set and is over reads '', which is nobody.
CREATE FUNCTION aichat.protect(VARIADIC p_tables text[]) RETURNS void
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
REVOKE EXECUTE ON FUNCTION aichat.protect FROM PUBLIC;

-- Puts tables on the work list: what jobs read across tenants to know where there is work, by a transaction that sets
-- aichat.work_list and no tenant. They read ids and times there, and nothing else, and do the work inside each tenant.
CREATE FUNCTION aichat.list_work(VARIADIC p_tables text[]) RETURNS void
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
REVOKE EXECUTE ON FUNCTION aichat.list_work FROM PUBLIC;

SELECT aichat.protect('organizations', 'members', 'api_keys', 'conversations', 'generations', 'messages');
SELECT aichat.list_work('organizations');

ALTER TABLE aichat.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY self ON aichat.users
    USING (user_id = (SELECT nullif(current_setting('aichat.member_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('aichat.member_id', true), '')::uuid));
CREATE POLICY colleagues ON aichat.users FOR SELECT
    USING (EXISTS (
        SELECT FROM aichat.members
        WHERE members.org_id = (SELECT nullif(current_setting('aichat.org_id', true), '')::uuid)
          AND members.member_id = users.user_id
    ));

-- Alembic's own, which the owner alone reads and writes.
ALTER TABLE aichat.alembic_version ENABLE ROW LEVEL SECURITY;
