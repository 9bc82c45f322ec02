-- The schema stays, since Alembic keeps its version there; so does the role, which other databases may use.
DROP FUNCTION aichat.end_turn, aichat.begin_turn, aichat.message_path, aichat.earlier_turn, aichat.answer;
DROP TABLE aichat.messages, aichat.generations, aichat.conversations, aichat.api_keys, aichat.users, aichat.members,
    aichat.organizations;
REVOKE USAGE ON SCHEMA aichat FROM aichat_app;
