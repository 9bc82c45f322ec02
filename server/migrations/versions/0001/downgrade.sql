-- The schema stays, since Alembic keeps its version there; so does the role, which other databases may use.
DROP TABLE aichat.messages, aichat.generations, aichat.conversations, aichat.api_keys, aichat.users, aichat.members,
    aichat.organizations;
DROP FUNCTION aichat.protect, aichat.list_work;
REVOKE USAGE ON SCHEMA aichat FROM aichat_app;
