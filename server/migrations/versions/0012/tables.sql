-- Jobs go through all organisations by this list, which tells of none but its id and age: an organisation's own row also
-- holds its name and an address, and is its own alone. aichat.list_organization puts new ones on it.
CREATE TABLE aichat.listed_organizations (
    org_id uuid PRIMARY KEY REFERENCES aichat.organizations,
    created_at timestamptz NOT NULL
);

-- Row-level security holds for the owner, too, who sees the rows of every tenant for this moment alone.
ALTER TABLE aichat.organizations NO FORCE ROW LEVEL SECURITY;
INSERT INTO aichat.listed_organizations (org_id, created_at) SELECT o.org_id, o.created_at FROM aichat.organizations AS o;
ALTER TABLE aichat.organizations FORCE ROW LEVEL SECURITY;
DROP POLICY work_list ON aichat.organizations;

GRANT SELECT, INSERT ON aichat.listed_organizations TO aichat_app;
SELECT aichat.protect('listed_organizations');
SELECT aichat.list_work('listed_organizations');
