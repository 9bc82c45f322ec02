-- Adds each new organisation to the list that jobs work through.
CREATE OR REPLACE FUNCTION aichat.list_organization() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO aichat.listed_organizations (org_id, created_at) VALUES (NEW.org_id, NEW.created_at);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER listed AFTER INSERT ON aichat.organizations
    FOR EACH ROW EXECUTE FUNCTION aichat.list_organization();
